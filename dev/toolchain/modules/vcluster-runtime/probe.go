package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// startupPeriod is how often a starting vCluster is asked whether it is ready.
// The chart's own period, 6 s, is for production: here someone waits for it.
const startupPeriod = 150 * time.Millisecond

// prober asks a container the questions of its pod's probes.
type prober struct {
	container *corev1.Container
	box       *sandbox
	client    *http.Client
}

func newProber(container *corev1.Container, box *sandbox) *prober {
	return &prober{container: container, box: box, client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			// A kubelet does not check the certificates of probes either.
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
			DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
				_, port, err := net.SplitHostPort(address)
				if err != nil {
					return nil, err
				}
				number, err := strconv.Atoi(port)
				if err != nil {
					return nil, err
				}
				return box.dial(ctx, number)
			},
		},
	}}
}

// run reports every change of readiness until ctx ends. It returns an error
// when the container must be restarted.
func (p *prober) run(ctx context.Context, ready func(bool)) error {
	defer p.client.CloseIdleConnections()
	readiness, liveness := p.container.ReadinessProbe, p.container.LivenessProbe
	if err := p.waitForStart(ctx); err != nil {
		return err
	}
	ready(true)
	go p.watchReadiness(ctx, readiness, ready)
	if liveness == nil {
		return nil
	}
	for failures := int32(0); failures < liveness.FailureThreshold; {
		if !sleep(ctx, seconds(liveness.PeriodSeconds)) {
			return nil
		}
		if p.ask(ctx, liveness) == nil {
			failures = 0
		} else {
			failures++
		}
	}
	return fmt.Errorf("liveness probe failed %d times", liveness.FailureThreshold)
}

// waitForStart returns when the startup and readiness probes succeed for the first time.
func (p *prober) waitForStart(ctx context.Context) error {
	startup := p.container.StartupProbe
	began := time.Now()
	for _, probe := range []*corev1.Probe{startup, p.container.ReadinessProbe} {
		for probe != nil && p.ask(ctx, probe) != nil {
			if startup != nil && time.Since(began) > seconds(startup.PeriodSeconds*startup.FailureThreshold) {
				return fmt.Errorf("startup probe failed for %s", time.Since(began).Round(time.Second))
			}
			if !sleep(ctx, startupPeriod) {
				return nil
			}
		}
	}
	return nil
}

func (p *prober) watchReadiness(ctx context.Context, probe *corev1.Probe, ready func(bool)) {
	for failures := int32(0); probe != nil; {
		if !sleep(ctx, seconds(probe.PeriodSeconds)) {
			return
		}
		if p.ask(ctx, probe) == nil {
			failures = 0
			ready(true)
			continue
		}
		if failures++; failures >= probe.FailureThreshold && ctx.Err() == nil {
			ready(false)
		}
	}
}

// ask makes one HTTP request; the chart uses no other kind of probe.
func (p *prober) ask(ctx context.Context, probe *corev1.Probe) error {
	get := probe.HTTPGet
	if get == nil {
		return nil
	}
	port := containerPort(p.container, get.Port)
	if port == 0 {
		return fmt.Errorf("the container has no port %s", get.Port.String())
	}
	ctx, cancel := context.WithTimeout(ctx, seconds(probe.TimeoutSeconds))
	defer cancel()
	url := fmt.Sprintf("%s://localhost:%d%s", strings.ToLower(string(get.Scheme)), port, get.Path)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // read to its end, the connection serves again
	_ = response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode >= 400 {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return nil
}

func seconds(n int32) time.Duration { return time.Duration(max(n, 1)) * time.Second }

// sleep reports whether the time passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

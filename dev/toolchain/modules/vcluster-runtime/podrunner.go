package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// deletePatience is how long a deleted pod's processes may take to end. The
	// database survives being killed, so this is less than the pod's grace period.
	deletePatience = 5 * time.Second
	// exitPatience is the same when the runtime itself is told to stop.
	exitPatience = 500 * time.Millisecond
	// maxRestartDelay and stableAfter bound the pauses between restarts.
	maxRestartDelay = time.Minute
	stableAfter     = 5 * time.Minute
)

// podRunner keeps one pod's containers running, as a kubelet would.
type podRunner struct {
	pod     *corev1.Pod // as it was when the runner began; containers do not change
	manager *podManager
	log     *slog.Logger
	changed func() // called after every change of the state
	cancel  context.CancelFunc
	done    chan struct{} // closed when nothing of the pod runs any more

	claims   map[string]types.UID // of the volumes in use, by name; read once done is closed
	mu       sync.Mutex
	state    podState
	box      *sandbox
	patience time.Duration // for the processes to end once cancelled
}

func (r *podRunner) snapshot() podState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

func (r *podRunner) update(change func(*podState)) {
	r.mu.Lock()
	change(&r.state)
	r.mu.Unlock()
	r.changed()
}

// stop begins to end the pod's processes; done tells when they have.
func (r *podRunner) stop(patience time.Duration) {
	r.mu.Lock()
	r.patience = patience
	r.mu.Unlock()
	r.cancel()
}

// dial connects to a port of the pod, if it is ready.
func (r *podRunner) dial(ctx context.Context, port int) (net.Conn, error) {
	r.mu.Lock()
	box, ready := r.box, r.state.syncer.Ready
	r.mu.Unlock()
	if !ready || box == nil {
		return nil, errNotReady
	}
	return box.dial(ctx, port)
}

func (r *podRunner) run(ctx context.Context) {
	defer close(r.done)
	for crashes := 0; ctx.Err() == nil; {
		box, tokens := r.startWithRetries(ctx)
		if box == nil {
			return
		}
		began := time.Now()
		r.supervise(ctx, box, tokens)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > stableAfter {
			crashes = 0
		}
		delay := restartDelay(crashes)
		crashes++
		if delay > 0 {
			r.update(func(s *podState) {
				setWaiting(&s.syncer, "CrashLoopBackOff", fmt.Sprintf("back-off %s restarting failed container=%s", delay, syncerContainer))
			})
			r.event(corev1.EventTypeWarning, "BackOff", "back-off %s restarting container %s", delay, syncerContainer)
			sleep(ctx, delay)
		}
	}
}

// restartDelay is 0 after the first crash, then doubles from one second.
func restartDelay(crashes int) time.Duration {
	if crashes == 0 {
		return 0
	}
	return min(time.Second<<min(crashes-1, 10), maxRestartDelay)
}

// startWithRetries returns nil when ctx ended first.
func (r *podRunner) startWithRetries(ctx context.Context) (*sandbox, []token) {
	reported := ""
	for attempt := 0; ctx.Err() == nil; attempt++ {
		box, tokens, err := r.start(ctx)
		if err == nil {
			return box, tokens
		}
		if ctx.Err() != nil {
			return nil, nil
		}
		r.reportFailure(err, err.Error() != reported)
		reported = err.Error()
		sleep(ctx, min(100*time.Millisecond<<min(attempt, 10), 10*time.Second))
	}
	return nil, nil
}

func (r *podRunner) start(ctx context.Context) (*sandbox, []token, error) {
	if err := checkImages(r.pod, r.manager.kubernetesVersion); err != nil {
		return nil, nil, err
	}
	builder := &sandboxBuilder{
		host: r.manager.host, state: r.manager.state, binaries: r.manager.binaries, pod: r.pod, ips: r.snapshot(),
	}
	spec, tokens, err := builder.build(ctx)
	r.claims = builder.claims
	if err != nil {
		return nil, nil, err
	}
	output, err := r.manager.state.openLog(r.pod.Namespace, r.pod.Name)
	if err != nil {
		return nil, nil, err
	}
	defer output.Close()
	box, err := startSandbox(r.pod.Namespace+"/"+r.pod.Name, spec, r.manager.host.address, output)
	if err != nil {
		return nil, nil, err
	}
	now := metav1.Now()
	r.mu.Lock()
	r.box = box
	r.mu.Unlock()
	r.update(func(s *podState) {
		if s.binaries.State.Terminated == nil {
			s.binaries.Ready = true
			s.binaries.State = terminated(0, now, now)
		}
		markStarted(&s.syncer, now)
	})
	r.log.Info("started", "image", r.snapshot().syncer.Image, "pid", box.command.Process.Pid)
	r.event(corev1.EventTypeNormal, "Started", "Started container %s", syncerContainer)
	return box, tokens, nil
}

// markStarted counts every start after the first as a restart.
func markStarted(status *corev1.ContainerStatus, now metav1.Time) {
	keepTermination(status)
	if status.LastTerminationState.Terminated != nil {
		status.RestartCount++
	}
	started := false
	status.Started = &started
	status.State = running(now)
}

func setWaiting(status *corev1.ContainerStatus, reason, message string) {
	keepTermination(status)
	status.State = waiting(reason, message)
}

// keepTermination makes the end of the last run the container's history, before its state changes.
func keepTermination(status *corev1.ContainerStatus) {
	if status.State.Terminated != nil {
		status.LastTerminationState = status.State
	}
}

// reportFailure shows why a container does not start in its status, and once as an event.
func (r *podRunner) reportFailure(err error, news bool) {
	var fault *notRunnable
	if !errors.As(err, &fault) {
		// What is missing may still come, as when everything is applied at once.
		if news {
			r.log.Warn("cannot start yet", "err", err)
			r.event(corev1.EventTypeWarning, "FailedMount", "%v", err)
		}
		r.update(func(s *podState) { setWaiting(&s.syncer, "ContainerCreating", err.Error()) })
		return
	}
	if news {
		r.log.Warn("cannot run", "err", err)
		r.event(corev1.EventTypeWarning, "Failed", "%v", err)
	}
	r.update(func(s *podState) {
		status := &s.syncer
		if fault.container == binariesContainer {
			status = &s.binaries
		}
		setWaiting(status, fault.reason, fault.message)
	})
}

// supervise returns when the container has ended, of itself or because it must.
func (r *podRunner) supervise(ctx context.Context, box *sandbox, tokens []token) {
	alive, cancel := context.WithCancel(ctx)
	defer cancel()
	began := metav1.Now()
	for _, t := range tokens {
		go r.renew(alive, box, t)
	}
	unhealthy := make(chan error, 1)
	go func() {
		syncer := containerNamed(r.pod.Spec.Containers, syncerContainer)
		if err := newProber(syncer, box).run(alive, r.setReady(alive, began)); err != nil {
			unhealthy <- err
		}
	}()

	select {
	case <-box.done:
	case err := <-unhealthy:
		r.event(corev1.EventTypeWarning, "Unhealthy", "%v; the container is restarted", err)
		box.stop(deletePatience)
	case <-ctx.Done():
		r.mu.Lock()
		patience := r.patience
		r.mu.Unlock()
		box.stop(patience)
	}
	cancel()
	r.update(func(s *podState) {
		started := false
		s.syncer.Ready, s.syncer.Started = false, &started
		s.syncer.State = terminated(box.exitCode, began, metav1.Now())
	})
	r.log.Info("ended", "code", box.exitCode, "after", time.Since(began.Time).Round(time.Millisecond))
}

// setReady returns what the prober calls. A late answer of a container that has
// ended must not make it ready again.
func (r *podRunner) setReady(alive context.Context, began metav1.Time) func(bool) {
	return func(ready bool) {
		started := true
		r.mu.Lock()
		if alive.Err() != nil || r.state.syncer.Ready == ready {
			r.mu.Unlock()
			return
		}
		r.state.syncer.Ready, r.state.syncer.Started = ready, &started
		r.mu.Unlock()
		r.changed()
		r.log.Info("readiness changed", "ready", ready, "sinceStart", time.Since(began.Time).Round(time.Millisecond))
	}
}

// renew replaces a service account token before it expires.
func (r *podRunner) renew(ctx context.Context, box *sandbox, t token) {
	for sleep(ctx, max(time.Until(t.renewAt), time.Second)) {
		content, err := requestToken(ctx, r.manager.host, r.pod, &t)
		if err == nil {
			err = box.write(*content)
		}
		if err != nil && ctx.Err() == nil {
			r.log.Warn("cannot renew a token", "path", t.path, "err", err)
			t.renewAt = time.Now().Add(10 * time.Second)
		}
	}
}

func (r *podRunner) event(kind, reason, format string, args ...any) {
	r.manager.host.recorder.Eventf(r.pod, kind, reason, format, args...)
}

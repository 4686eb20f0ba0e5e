package main

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"reflect"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestReadServerName(t *testing.T) {
	for _, want := range []string{"acme.tenantry.localhost", ""} {
		client, server := net.Pipe()
		go func() {
			_ = tls.Client(client, &tls.Config{ServerName: want, InsecureSkipVerify: true}).Handshake()
		}()
		name, hello, err := readServerName(server)
		_ = server.Close()
		if want == "" {
			if err == nil {
				t.Error("a client that names no host must be refused")
			}
			continue
		}
		if err != nil || name != want {
			t.Fatalf("got %q, %v", name, err)
		}
		// What was read must be enough for the real server to begin anew.
		again, _, err := readServerName(bytes.NewReader(hello))
		if err != nil || again != want {
			t.Errorf("replayed: got %q, %v", again, err)
		}
	}
}

func TestReadServerNameOfOtherProtocols(t *testing.T) {
	for _, sent := range []string{"", "GET / HTTP/1.1\r\nHost: acme\r\n\r\n", "\x16\x03\x01\xff\xff"} {
		if _, _, err := readServerName(io.NopCloser(bytes.NewReader([]byte(sent)))); err == nil {
			t.Errorf("%q is no client hello", sent)
		}
	}
}

func TestHostCandidates(t *testing.T) {
	got := hostCandidates("A.b.c.")
	if want := []string{"a.b.c", "*.b.c", "*.c"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRouteStatus(t *testing.T) {
	var route tlsRoute
	route.Namespace, route.Generation = "vc-acme", 3
	route.Spec.ParentRefs = []parentRef{{Name: "tenantry"}}
	route.Spec.Rules = append(route.Spec.Rules, struct {
		BackendRefs []backendRef `json:"backendRefs"`
	}{[]backendRef{{Name: "acme", Port: 443}, {Name: "elsewhere", Namespace: "vc-other", Port: 443}}})
	foreign := routeParent{ControllerName: "example.com/other"}
	route.Status.Parents = []routeParent{foreign}

	first := metav1.Now()
	exists := func(name string) bool { return name == "acme" }
	parents := routeStatus(&route, exists, first)
	if len(parents) != 2 || !reflect.DeepEqual(parents[0], foreign) {
		t.Fatalf("other controllers' entries must stay: %+v", parents)
	}
	for _, condition := range parents[1].Conditions {
		if condition.Status != metav1.ConditionTrue || condition.ObservedGeneration != 3 {
			t.Errorf("got %+v", condition)
		}
	}

	route.Status.Parents = parents
	later := metav1.NewTime(first.Add(3600e9))
	if again := routeStatus(&route, exists, later); !reflect.DeepEqual(again, parents) {
		t.Errorf("nothing changed, yet the status did: %+v", again)
	}
	gone := routeStatus(&route, func(string) bool { return false }, later)[1].Conditions[1]
	if gone.Status != metav1.ConditionFalse || gone.Reason != "BackendNotFound" || gone.LastTransitionTime.Before(&later) && later.Sub(gone.LastTransitionTime.Time) > 1e9 {
		t.Errorf("got %+v", gone)
	}
}

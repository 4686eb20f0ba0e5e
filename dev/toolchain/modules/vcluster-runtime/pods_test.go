package main

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func vclusterPod() *corev1.Pod {
	return &corev1.Pod{Spec: corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: binariesContainer, Image: "ghcr.io/loft-sh/kubernetes:v1.36.3"}},
		Containers:     []corev1.Container{{Name: syncerContainer, Image: "ghcr.io/loft-sh/vcluster-oss:0.36.1"}},
	}}
}

func condition(status corev1.PodStatus, kind corev1.PodConditionType) corev1.PodCondition {
	for _, c := range status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return corev1.PodCondition{}
}

func TestPodStatusFollowsTheContainer(t *testing.T) {
	pod := vclusterPod()
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}}
	began := metav1.NewTime(time.Unix(1000, 0))
	state := initialState(pod, "10.200.0.1", "10.100.0.1", began)

	pod.Status = podStatus(pod, state, began)
	if pod.Status.Phase != corev1.PodPending || condition(pod.Status, corev1.PodInitialized).Status != corev1.ConditionFalse {
		t.Errorf("new: %+v", pod.Status)
	}
	if condition(pod.Status, corev1.PodScheduled).Status != corev1.ConditionTrue {
		t.Error("the scheduler's condition must stay")
	}

	state.binaries.State = terminated(0, began, began)
	markStarted(&state.syncer, began)
	pod.Status = podStatus(pod, state, began)
	if pod.Status.Phase != corev1.PodRunning || condition(pod.Status, corev1.PodReady).Status != corev1.ConditionFalse || state.syncer.RestartCount != 0 {
		t.Errorf("started, not yet ready: %+v", pod.Status)
	}

	ready := metav1.NewTime(time.Unix(1010, 0))
	state.syncer.Ready = true
	pod.Status = podStatus(pod, state, ready)
	if c := condition(pod.Status, corev1.PodReady); c.Status != corev1.ConditionTrue || !c.LastTransitionTime.Equal(&ready) {
		t.Errorf("ready: %+v", c)
	}
	if again := podStatus(pod, state, metav1.NewTime(time.Unix(2000, 0))); !equality.Semantic.DeepEqual(again, pod.Status) {
		t.Error("nothing changed, yet the status did")
	}

	state.syncer.Ready = false
	state.syncer.State = terminated(137, began, ready)
	setWaiting(&state.syncer, "CrashLoopBackOff", "")
	markStarted(&state.syncer, ready)
	pod.Status = podStatus(pod, state, ready)
	if last := state.syncer.LastTerminationState.Terminated; state.syncer.RestartCount != 1 || last == nil || last.ExitCode != 137 {
		t.Errorf("restarted: %+v", state.syncer)
	}
	if pod.Status.Phase != corev1.PodRunning {
		t.Errorf("a restarting pod stays %s, got %s", corev1.PodRunning, pod.Status.Phase)
	}
}

func TestInitialStateCountsTheRunThatWasLost(t *testing.T) {
	pod := vclusterPod()
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: syncerContainer, RestartCount: 4, State: running(metav1.Now())}}
	state := initialState(pod, "", "", metav1.Now())
	markStarted(&state.syncer, metav1.Now())
	if state.syncer.RestartCount != 5 {
		t.Errorf("got %d restarts, want 5", state.syncer.RestartCount)
	}
}

func TestCheckImages(t *testing.T) {
	if err := checkImages(vclusterPod(), "v1.36.3"); err != nil {
		t.Error(err)
	}
	sidecar := vclusterPod()
	sidecar.Spec.Containers = append(sidecar.Spec.Containers, corev1.Container{Name: "other"})
	for name, err := range map[string]error{
		"other version":    checkImages(vclusterPod(), "v1.35.0"),
		"sidecar":          checkImages(sidecar, "v1.36.3"),
		"not of the chart": checkImages(&corev1.Pod{}, "v1.36.3"),
	} {
		var fault *notRunnable
		if !errors.As(err, &fault) || fault.reason != "ErrImagePull" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestImageTag(t *testing.T) {
	for image, want := range map[string]string{
		"ghcr.io/loft-sh/kubernetes:v1.36.3":            "v1.36.3",
		"mirror:5000/kubernetes":                        "latest",
		"mirror:5000/kubernetes:v1.36.3@sha256:0123abc": "v1.36.3",
	} {
		if got := imageTag(image); got != want {
			t.Errorf("%s: got %s, want %s", image, got, want)
		}
	}
}

func TestRestartDelay(t *testing.T) {
	for crashes, want := range []time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second} {
		if got := restartDelay(crashes); got != want {
			t.Errorf("%d: got %s, want %s", crashes, got, want)
		}
	}
	if got := restartDelay(1000); got != maxRestartDelay {
		t.Errorf("got %s", got)
	}
}

func TestAddressFor(t *testing.T) {
	for try := range uint16(300) {
		address := netip.MustParseAddr(addressFor(types.UID("some-pod"), try))
		if !podNetwork.Contains(address) {
			t.Fatalf("%s is not in %s", address, podNetwork)
		}
	}
	if addressFor("a", 0) == addressFor("a", 1) {
		t.Error("the next try must be another address")
	}
}

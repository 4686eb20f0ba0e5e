package main

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The two containers of a vCluster pod: the first brings the Kubernetes binaries
// of the virtual cluster, the second is the virtual cluster.
const (
	binariesContainer = "kubernetes"
	syncerContainer   = "syncer"
)

// podState is what a kubelet knows of a pod and the API server does not.
type podState struct {
	podIP, hostIP string
	startTime     metav1.Time
	binaries      corev1.ContainerStatus // of the init container
	syncer        corev1.ContainerStatus
}

// podStatus returns the status that a kubelet would report. It keeps what others
// wrote, and the times of conditions that did not change.
func podStatus(pod *corev1.Pod, s podState, now metav1.Time) corev1.PodStatus {
	status := *pod.Status.DeepCopy()
	status.ObservedGeneration = pod.Generation
	status.StartTime = &s.startTime
	status.PodIP, status.PodIPs = s.podIP, []corev1.PodIP{{IP: s.podIP}}
	status.HostIP, status.HostIPs = "", nil
	if s.hostIP != "" {
		status.HostIP, status.HostIPs = s.hostIP, []corev1.HostIP{{IP: s.hostIP}}
	}
	status.InitContainerStatuses = []corev1.ContainerStatus{s.binaries}
	status.ContainerStatuses = []corev1.ContainerStatus{s.syncer}

	initialized := s.binaries.State.Terminated != nil
	status.Phase = corev1.PodPending
	if initialized && (s.syncer.State.Waiting == nil || s.syncer.LastTerminationState.Terminated != nil) {
		status.Phase = corev1.PodRunning
	}

	set := func(kind corev1.PodConditionType, holds bool, reason, message string) {
		setCondition(&status, corev1.PodCondition{
			Type: kind, Status: conditionStatus(holds), Reason: reason, Message: message,
			ObservedGeneration: pod.Generation, LastTransitionTime: now,
		})
	}
	reason, message := "", ""
	if !s.syncer.Ready {
		reason, message = "ContainersNotReady", "containers with unready status: [syncer]"
	}
	set(corev1.PodReadyToStartContainers, initialized, "", "")
	if initialized {
		set(corev1.PodInitialized, true, "", "")
	} else {
		set(corev1.PodInitialized, false, "ContainersNotInitialized", "containers with incomplete status: [kubernetes]")
	}
	set(corev1.ContainersReady, s.syncer.Ready, reason, message)
	set(corev1.PodReady, s.syncer.Ready, reason, message)
	return status
}

func setCondition(status *corev1.PodStatus, next corev1.PodCondition) {
	for i := range status.Conditions {
		old := &status.Conditions[i]
		if old.Type != next.Type {
			continue
		}
		if old.Status == next.Status {
			next.LastTransitionTime = old.LastTransitionTime
		}
		*old = next
		return
	}
	status.Conditions = append(status.Conditions, next)
}

func conditionStatus(holds bool) corev1.ConditionStatus {
	if holds {
		return corev1.ConditionTrue
	}
	return corev1.ConditionFalse
}

func waiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

func running(since metav1.Time) corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: since}}
}

func terminated(code int, started, finished metav1.Time) corev1.ContainerState {
	reason := "Error"
	if code == 0 {
		reason = "Completed"
	}
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: int32(code), Reason: reason, StartedAt: started, FinishedAt: finished,
	}}
}

// initialState is the state of a pod of which nothing runs (any more): new, or
// left over from an earlier run of this program, which took its processes along.
func initialState(pod *corev1.Pod, podIP, hostIP string, now metav1.Time) podState {
	s := podState{podIP: podIP, hostIP: hostIP, startTime: now}
	if pod.Status.StartTime != nil {
		s.startTime = *pod.Status.StartTime
	}
	s.binaries = newContainerStatus(pod.Spec.InitContainers, binariesContainer, "PodInitializing")
	s.syncer = newContainerStatus(pod.Spec.Containers, syncerContainer, "PodInitializing")
	for _, old := range pod.Status.ContainerStatuses {
		if old.Name != syncerContainer {
			continue
		}
		s.syncer.RestartCount = old.RestartCount
		s.syncer.LastTerminationState = old.LastTerminationState
		if old.State.Running != nil {
			s.syncer.LastTerminationState = terminated(137, old.State.Running.StartedAt, now)
			s.syncer.LastTerminationState.Terminated.Reason = "ContainerStatusUnknown"
			s.syncer.LastTerminationState.Terminated.Message = "the vcluster-runtime that ran it ended"
		}
		if old.State.Terminated != nil {
			s.syncer.LastTerminationState = old.State
		}
	}
	return s
}

func newContainerStatus(containers []corev1.Container, name, reason string) corev1.ContainerStatus {
	started := false
	status := corev1.ContainerStatus{Name: name, Started: &started, State: waiting(reason, "")}
	if c := containerNamed(containers, name); c != nil {
		status.Image, status.ImageID = c.Image, c.Image
	}
	return status
}

func containerNamed(containers []corev1.Container, name string) *corev1.Container {
	for i := range containers {
		if containers[i].Name == name {
			return &containers[i]
		}
	}
	return nil
}

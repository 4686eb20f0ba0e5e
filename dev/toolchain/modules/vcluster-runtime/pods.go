package main

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// workers is how many pods are looked after at once; none of them ever waits for a process.
const workers = 4

// podNetwork is where pods get their addresses from. They exist in sandboxes only.
var podNetwork = netip.MustParsePrefix("10.200.0.0/16")

var errNotReady = errors.New("no ready pod")

// podManager is the kubelet of all vCluster pods, whatever their node.
type podManager struct {
	host              *hostCluster
	state             *stateFolder
	binaries          string
	kubernetesVersion string
	queue             workqueue.TypedRateLimitingInterface[cache.ObjectName]

	mu        sync.Mutex
	runners   map[cache.ObjectName]*podRunner
	addresses map[string]types.UID
}

func newPodManager(host *hostCluster, state *stateFolder, opts *options) *podManager {
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](20*time.Millisecond, 10*time.Second)
	return &podManager{
		host: host, state: state, binaries: opts.binaries, kubernetesVersion: opts.kubernetesVersion,
		queue:     workqueue.NewTypedRateLimitingQueue(limiter),
		runners:   map[cache.ObjectName]*podRunner{},
		addresses: map[string]types.UID{},
	}
}

// run looks after pods until ctx ends, then ends all their processes.
func (m *podManager) run(ctx context.Context) {
	enqueue := func(object any) {
		if name, err := cache.DeletionHandlingObjectToName(object); err == nil {
			m.queue.Add(name)
		}
	}
	_, _ = m.host.podInformer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: enqueue, UpdateFunc: func(_, object any) { enqueue(object) }, DeleteFunc: enqueue,
	})
	_, _ = m.host.claimInformer.AddEventHandler(cache.ResourceEventHandlerFuncs{DeleteFunc: func(object any) {
		if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = gone.Obj
		}
		if claim, ok := object.(*corev1.PersistentVolumeClaim); ok {
			go m.state.removeClaim(claim.UID)
		}
	}})
	if err := m.host.watch(ctx); err != nil {
		return
	}
	m.pruneState()

	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for m.next(ctx) {
			}
		})
	}
	slog.Info("watching pods")
	<-ctx.Done()
	m.queue.ShutDown()
	working.Wait()
	m.stopAll()
}

func (m *podManager) stopAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.runners {
		r.stop(exitPatience)
	}
	for _, r := range m.runners {
		<-r.done
	}
}

func (m *podManager) next(ctx context.Context) bool {
	name, shutdown := m.queue.Get()
	if shutdown {
		return false
	}
	defer m.queue.Done(name)
	err := m.sync(ctx, name)
	switch {
	case err == nil:
		m.queue.Forget(name)
	case apierrors.IsConflict(err):
		m.queue.AddRateLimited(name) // the cache is behind our own last write
	case ctx.Err() == nil:
		slog.Warn("pod", "pod", name, "err", err)
		m.queue.AddRateLimited(name)
	}
	return true
}

// sync brings one pod's processes and its status closer to what they should be.
func (m *podManager) sync(ctx context.Context, name cache.ObjectName) error {
	pod, err := m.host.pods.Pods(name.Namespace).Get(name.Name)
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	r := m.runner(name)
	if r != nil && (pod == nil || pod.UID != r.pod.UID || pod.DeletionTimestamp != nil || finished(pod)) {
		return m.endRunner(name, r, pod)
	}
	switch {
	case pod == nil || pod.Spec.NodeName == "":
		return nil
	case pod.DeletionTimestamp != nil:
		m.release(pod.UID)
		return m.deletePod(ctx, pod)
	case finished(pod):
		return nil
	case r == nil:
		r = m.startRunner(ctx, name, pod)
	}
	return m.reportStatus(ctx, pod, r.snapshot())
}

func finished(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
}

// endRunner comes by twice: to begin, and, woken by the runner, when nothing runs any more.
func (m *podManager) endRunner(name cache.ObjectName, r *podRunner, pod *corev1.Pod) error {
	select {
	case <-r.done:
	default:
		r.stop(patienceFor(pod))
		return nil
	}
	m.mu.Lock()
	delete(m.runners, name)
	m.mu.Unlock()
	if pod == nil || pod.UID != r.pod.UID {
		m.release(r.pod.UID)
	}
	m.removeLostClaims(r)
	m.queue.Add(name)
	return nil
}

func patienceFor(pod *corev1.Pod) time.Duration {
	if pod != nil && pod.DeletionGracePeriodSeconds != nil {
		return min(deletePatience, time.Duration(*pod.DeletionGracePeriodSeconds)*time.Second)
	}
	return exitPatience
}

// deletePod removes the pod from the API server, now that nothing of it is left.
func (m *podManager) deletePod(ctx context.Context, pod *corev1.Pod) error {
	now := int64(0)
	err := m.host.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &now, Preconditions: metav1.NewUIDPreconditions(string(pod.UID)),
	})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

func (m *podManager) reportStatus(ctx context.Context, pod *corev1.Pod, state podState) error {
	status := podStatus(pod, state, metav1.Now())
	if equality.Semantic.DeepEqual(status, pod.Status) {
		return nil
	}
	next := pod.DeepCopy()
	next.Status = status
	_, err := m.host.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, next, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (m *podManager) runner(name cache.ObjectName) *podRunner {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.runners[name]
}

// startRunner is not given the worker's context: only stop ends a runner, with the patience that fits.
func (m *podManager) startRunner(ctx context.Context, name cache.ObjectName, pod *corev1.Pod) *podRunner {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &podRunner{
		pod: pod, manager: m, cancel: cancel, done: make(chan struct{}), patience: exitPatience,
		log:   slog.With("pod", name.String()),
		state: initialState(pod, m.address(pod), m.nodeAddress(ctx, pod.Spec.NodeName), metav1.Now()),
	}
	r.changed = func() { m.queue.Add(name) }
	m.mu.Lock()
	m.runners[name] = r
	m.mu.Unlock()
	go func() {
		r.run(running)
		m.queue.Add(name)
	}()
	return r
}

// nodeAddress may be empty: a pod runs as well without knowing it.
func (m *podManager) nodeAddress(ctx context.Context, name string) string {
	node, err := m.host.client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		slog.Warn("node", "node", name, "err", err)
		return ""
	}
	for _, address := range node.Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			return address.Address
		}
	}
	return ""
}

// address returns the pod's own address: the one it has, or a free one.
func (m *podManager) address(pod *corev1.Pod) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ip := pod.Status.PodIP; ip != "" && (m.addresses[ip] == "" || m.addresses[ip] == pod.UID) {
		m.addresses[ip] = pod.UID
		return ip
	}
	for try := uint16(0); ; try++ {
		ip := addressFor(pod.UID, try)
		if m.addresses[ip] == "" {
			m.addresses[ip] = pod.UID
			return ip
		}
	}
}

// addressFor spreads pods over the network; try moves on from addresses that are taken.
func addressFor(pod types.UID, try uint16) string {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(pod))
	host := 1 + (uint16(hash.Sum32())+try)%65534 // neither the first nor the last
	bytes := podNetwork.Addr().As4()
	binary.BigEndian.PutUint16(bytes[2:], host)
	return netip.AddrFrom4(bytes).String()
}

// release forgets a pod of which nothing runs: its address and its emptyDir volumes.
func (m *podManager) release(pod types.UID) {
	m.mu.Lock()
	for ip, owner := range m.addresses {
		if owner == pod {
			delete(m.addresses, ip)
		}
	}
	m.mu.Unlock()
	m.state.removePod(pod)
}

// removeLostClaims removes the volumes of claims that went away while the pod's
// processes still wrote to them, as when a pod is deleted by force.
func (m *podManager) removeLostClaims(r *podRunner) {
	for name, uid := range r.claims {
		claim, err := m.host.claims.PersistentVolumeClaims(r.pod.Namespace).Get(name)
		if apierrors.IsNotFound(err) || err == nil && claim.UID != uid {
			m.state.removeClaim(uid)
		}
	}
}

// pruneState removes what an earlier run could not: it was killed, or pods and
// claims went away while nobody watched.
func (m *podManager) pruneState() {
	known := map[types.UID]bool{}
	for _, object := range m.host.podInformer.GetStore().List() {
		known[object.(*corev1.Pod).UID] = true
	}
	for _, object := range m.host.claimInformer.GetStore().List() {
		known[object.(*corev1.PersistentVolumeClaim).UID] = true
	}
	isKnown := func(uid types.UID) bool { return known[uid] }
	m.state.prune(isKnown, isKnown)
}

// dial connects to a port of a pod, if it is ready.
func (m *podManager) dial(ctx context.Context, pod *corev1.Pod, port int) (net.Conn, error) {
	r := m.runner(cache.MetaObjectToName(pod))
	if r == nil || pod.UID != r.pod.UID {
		return nil, errNotReady
	}
	return r.dial(ctx, port)
}

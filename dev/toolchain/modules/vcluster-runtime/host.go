package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	listersv1 "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/record"
)

// podLabel marks the pods that this program runs; kwok is told to leave them alone.
const podLabel = "app=vcluster"

// ourPods leaves out the pods that a virtual cluster has put on the host: what
// tenants label so is theirs, and fake like all their pods.
const ourPods = podLabel + ",!vcluster.loft.sh/managed-by"

// hostCluster is the host cluster as this program sees it: clients, and caches
// kept up to date by watches.
type hostCluster struct {
	client   kubernetes.Interface
	dynamic  dynamic.Interface
	address  string // of the API server, host:port
	recorder record.EventRecorder

	pods     listersv1.PodLister
	services listersv1.ServiceLister
	claims   listersv1.PersistentVolumeClaimLister

	podInformer     cache.SharedIndexInformer
	serviceInformer cache.SharedIndexInformer
	claimInformer   cache.SharedIndexInformer
}

func newHostCluster(kubeconfig string) (*hostCluster, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", kubeconfig, err)
	}
	config.UserAgent = "vcluster-runtime"
	config.QPS, config.Burst = 100, 200
	address, err := hostPort(config.Host)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", kubeconfig, err)
	}

	dynamicClient, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	typed := rest.CopyConfig(config)
	typed.ContentType = "application/vnd.kubernetes.protobuf"
	typed.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	client, err := kubernetes.NewForConfig(typed)
	if err != nil {
		return nil, err
	}

	onlyOurs := informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = ourPods })
	podInformers := informers.NewSharedInformerFactoryWithOptions(client, 10*time.Minute, onlyOurs).Core().V1().Pods()
	all := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTransform(withoutManagedFields)).Core().V1()

	events := record.NewBroadcaster()
	events.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events("")})
	return &hostCluster{
		client:          client,
		dynamic:         dynamicClient,
		address:         address,
		recorder:        events.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "vcluster-runtime"}),
		pods:            podInformers.Lister(),
		services:        all.Services().Lister(),
		claims:          all.PersistentVolumeClaims().Lister(),
		podInformer:     podInformers.Informer(),
		serviceInformer: all.Services().Informer(),
		claimInformer:   all.PersistentVolumeClaims().Informer(),
	}, nil
}

// watch starts the caches and returns once they hold everything.
func (h *hostCluster) watch(ctx context.Context) error {
	all := []cache.SharedIndexInformer{h.podInformer, h.serviceInformer, h.claimInformer}
	var synced []cache.InformerSynced
	for _, informer := range all {
		go informer.RunWithContext(ctx)
		synced = append(synced, informer.HasSynced)
	}
	if !cache.WaitForCacheSync(ctx.Done(), synced...) {
		return errors.New("stopped before the host cluster answered")
	}
	return nil
}

// withoutManagedFields halves what the caches weigh; nothing here looks at them.
func withoutManagedFields(object any) (any, error) {
	if o, ok := object.(metav1.Object); ok {
		o.SetManagedFields(nil)
	}
	return object, nil
}

func hostPort(server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", err
	}
	if u.Scheme != "https" {
		return "", fmt.Errorf("the host cluster's address must be https, not %s", server)
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}

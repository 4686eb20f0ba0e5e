package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// controllerName marks the status entries that this program writes.
const controllerName = "tenantry.dev/dev-gateway"

var tlsRoutes = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "tlsroutes"}

// tlsRoute is the part of a TLSRoute that matters here.
type tlsRoute struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Hostnames  []string    `json:"hostnames"`
		ParentRefs []parentRef `json:"parentRefs"`
		Rules      []struct {
			BackendRefs []backendRef `json:"backendRefs"`
		} `json:"rules"`
	} `json:"spec"`
	Status struct {
		Parents []routeParent `json:"parents"`
	} `json:"status"`
}

type parentRef struct {
	Group       *string `json:"group,omitempty"`
	Kind        *string `json:"kind,omitempty"`
	Namespace   *string `json:"namespace,omitempty"`
	Name        string  `json:"name"`
	SectionName *string `json:"sectionName,omitempty"`
	Port        *int64  `json:"port,omitempty"`
}

type backendRef struct {
	Group     string `json:"group"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Port      int32  `json:"port"`
}

type routeParent struct {
	ParentRef      parentRef          `json:"parentRef"`
	ControllerName string             `json:"controllerName"`
	Conditions     []metav1.Condition `json:"conditions"`
}

// backends are the Services of the route. Those of other namespaces would need a
// ReferenceGrant, and no vCluster has one.
func (r *tlsRoute) backends() []backendRef {
	var refs []backendRef
	for _, rule := range r.Spec.Rules {
		for _, ref := range rule.BackendRefs {
			sameNamespace := ref.Namespace == "" || ref.Namespace == r.Namespace
			isService := ref.Group == "" && (ref.Kind == "" || ref.Kind == "Service")
			if sameNamespace && isService {
				refs = append(refs, ref)
			}
		}
	}
	return refs
}

// routeTable knows every TLSRoute and reports back on each.
type routeTable struct {
	host     *hostCluster
	informer cache.SharedIndexInformer
	queue    workqueue.TypedRateLimitingInterface[cache.ObjectName]
}

const byHost = "host"

func newRouteTable(host *hostCluster) *routeTable {
	informer := dynamicinformer.NewFilteredDynamicInformer(host.dynamic, tlsRoutes, "", 0, cache.Indexers{
		cache.NamespaceIndex: cache.MetaNamespaceIndexFunc,
		byHost: func(object any) ([]string, error) {
			route, err := parseRoute(object)
			if err != nil {
				return nil, err
			}
			return lowered(route.Spec.Hostnames), nil
		},
	}, nil)
	limiter := workqueue.DefaultTypedControllerRateLimiter[cache.ObjectName]()
	return &routeTable{host: host, informer: informer.Informer(), queue: workqueue.NewTypedRateLimitingQueue(limiter)}
}

func parseRoute(object any) (*tlsRoute, error) {
	raw, ok := object.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("not a TLSRoute: %T", object)
	}
	var route tlsRoute
	return &route, runtime.DefaultUnstructuredConverter.FromUnstructured(raw.Object, &route)
}

func lowered(names []string) []string {
	lower := make([]string, len(names))
	for i, name := range names {
		lower[i] = strings.ToLower(name)
	}
	return lower
}

// forHost returns the route of a host name: the most specific, then the oldest.
func (t *routeTable) forHost(name string) *tlsRoute {
	for _, candidate := range hostCandidates(name) {
		objects, err := t.informer.GetIndexer().ByIndex(byHost, candidate)
		if err != nil || len(objects) == 0 {
			continue
		}
		var routes []*tlsRoute
		for _, object := range objects {
			if route, err := parseRoute(object); err == nil {
				routes = append(routes, route)
			}
		}
		return slices.MinFunc(routes, func(a, b *tlsRoute) int {
			if byAge := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); byAge != 0 {
				return byAge
			}
			return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
		})
	}
	return nil
}

// hostCandidates lists the host names of routes that match a name, best first:
// for a.b.c itself, *.b.c and *.c.
func hostCandidates(name string) []string {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	candidates := []string{name}
	for _, rest, ok := strings.Cut(name, "."); ok; _, rest, ok = strings.Cut(rest, ".") {
		candidates = append(candidates, "*."+rest)
	}
	return candidates
}

// watchRoutes waits until the host cluster knows TLSRoutes, then follows them.
func (g *gateway) watchRoutes(ctx context.Context) {
	t := g.routes
	enqueue := func(object any) {
		if name, err := cache.DeletionHandlingObjectToName(object); err == nil {
			t.queue.Add(name)
		}
	}
	_, _ = t.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: enqueue, UpdateFunc: func(_, object any) { enqueue(object) },
	})
	// A route's references resolve when its Service comes, and no longer when it goes.
	enqueueNamespace := func(object any) {
		name, err := cache.DeletionHandlingObjectToName(object)
		if err != nil {
			return
		}
		routes, _ := t.informer.GetIndexer().ByIndex(cache.NamespaceIndex, name.Namespace)
		for _, route := range routes {
			enqueue(route)
		}
	}
	_, _ = g.host.serviceInformer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: enqueueNamespace, DeleteFunc: enqueueNamespace,
	})
	for !t.served() {
		if !sleep(ctx, time.Second) {
			return
		}
	}
	context.AfterFunc(ctx, t.queue.ShutDown)
	go t.informer.RunWithContext(ctx)
	cache.WaitForCacheSync(ctx.Done(), t.informer.HasSynced, g.host.serviceInformer.HasSynced)
	slog.Info("watching TLSRoutes")
	for t.next(ctx) {
	}
}

// served reports whether the host cluster has the resource: the definitions may
// be installed after this program starts.
func (t *routeTable) served() bool {
	resources, err := t.host.client.Discovery().ServerResourcesForGroupVersion(tlsRoutes.GroupVersion().String())
	return err == nil && slices.ContainsFunc(resources.APIResources, func(r metav1.APIResource) bool { return r.Name == tlsRoutes.Resource })
}

func (t *routeTable) next(ctx context.Context) bool {
	name, shutdown := t.queue.Get()
	if shutdown {
		return false
	}
	defer t.queue.Done(name)
	if err := t.reportStatus(ctx, name); err != nil {
		if !apierrors.IsConflict(err) && ctx.Err() == nil {
			slog.Warn("TLSRoute", "route", name, "err", err)
		}
		t.queue.AddRateLimited(name)
		return true
	}
	t.queue.Forget(name)
	return true
}

// reportStatus tells the route's owner what a gateway would: accepted, and whether its Services exist.
func (t *routeTable) reportStatus(ctx context.Context, name cache.ObjectName) error {
	object, exists, err := t.informer.GetStore().GetByKey(name.String())
	if err != nil || !exists {
		return err
	}
	route, err := parseRoute(object)
	if err != nil {
		return err
	}
	parents := routeStatus(route, func(service string) bool {
		_, err := t.host.services.Services(name.Namespace).Get(service)
		return err == nil
	}, metav1.Now())
	if equality.Semantic.DeepEqual(parents, route.Status.Parents) {
		return nil
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": route.UID, "resourceVersion": route.ResourceVersion},
		"status":   map[string]any{"parents": parents},
	})
	if err != nil {
		return err
	}
	_, err = t.host.dynamic.Resource(tlsRoutes).Namespace(name.Namespace).
		Patch(ctx, name.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// routeStatus returns the entries of all the route's parents: this program's own
// anew, other controllers' as they are.
func routeStatus(route *tlsRoute, serviceExists func(string) bool, now metav1.Time) []routeParent {
	var parents []routeParent
	old := map[string][]metav1.Condition{}
	for _, parent := range route.Status.Parents {
		if parent.ControllerName != controllerName {
			parents = append(parents, parent)
			continue
		}
		old[parent.ParentRef.key()] = parent.Conditions
	}
	resolved := metav1.Condition{Type: "ResolvedRefs", Status: metav1.ConditionTrue, Reason: "ResolvedRefs", Message: "All references resolved"}
	backends := route.backends()
	for _, ref := range backends {
		if !serviceExists(ref.Name) {
			resolved.Status, resolved.Reason = metav1.ConditionFalse, "BackendNotFound"
			resolved.Message = fmt.Sprintf("There is no Service %q", ref.Name)
		}
	}
	if len(backends) == 0 {
		resolved.Status, resolved.Reason, resolved.Message = metav1.ConditionFalse, "InvalidKind", "No backend is a Service of the route's namespace"
	}
	accepted := metav1.Condition{Type: "Accepted", Status: metav1.ConditionTrue, Reason: "Accepted", Message: "Route is accepted"}
	for _, ref := range route.Spec.ParentRefs {
		parent := routeParent{ParentRef: ref, ControllerName: controllerName}
		for _, condition := range []metav1.Condition{accepted, resolved} {
			condition.ObservedGeneration = route.Generation
			condition.LastTransitionTime = since(old[ref.key()], condition, now)
			parent.Conditions = append(parent.Conditions, condition)
		}
		parents = append(parents, parent)
	}
	return parents
}

// since returns when a condition took the status it has.
func since(old []metav1.Condition, condition metav1.Condition, now metav1.Time) metav1.Time {
	for _, o := range old {
		if o.Type == condition.Type && o.Status == condition.Status {
			return o.LastTransitionTime
		}
	}
	return metav1.NewTime(now.Truncate(time.Second)) // as precise as the API is: equal when read back
}

func (r parentRef) key() string {
	data, _ := json.Marshal(r)
	return string(data)
}

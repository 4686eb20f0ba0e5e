package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	listersv1 "k8s.io/client-go/listers/core/v1"
)

// clusterNetwork stands in for cluster DNS and kube-proxy, as far as Services in
// front of vCluster pods go. Processes outside any pod, such as the host Argo CD,
// reach it as their HTTPS proxy: names of Services work there and nowhere else.
type clusterNetwork struct {
	services listersv1.ServiceLister
	pods     *podManager
	hostAPI  string // where the Service "kubernetes" leads
}

// unreachable says why there is no connection, in words for the user.
type unreachable struct {
	status  int
	message string
}

func (e *unreachable) Error() string { return e.message }

// serve answers HTTP CONNECT requests.
func (n *clusterNetwork) serve(ctx context.Context, listener net.Listener) {
	server := &http.Server{
		Handler:           http.HandlerFunc(n.connect),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		slog.Error("cluster network", "err", err)
	}
}

func (n *clusterNetwork) connect(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "this proxy only serves CONNECT", http.StatusMethodNotAllowed)
		return
	}
	up, err := n.dialHost(r.Context(), r.Host)
	if err != nil {
		slog.Debug("cluster network: refused", "host", r.Host, "err", err)
		status := http.StatusBadGateway
		var reason *unreachable
		if errors.As(err, &reason) {
			status = reason.status
		}
		http.Error(w, err.Error(), status)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = up.Close()
		return
	}
	_ = conn.SetDeadline(time.Time{})
	_, err = conn.Write([]byte("HTTP/1.1 200 Connection Established\r\n\r\n"))
	if early := buffered.Reader.Buffered(); err == nil && early > 0 {
		data, _ := buffered.Peek(early)
		_, err = up.Write(data)
	}
	if err != nil {
		_ = conn.Close()
		_ = up.Close()
		return
	}
	pipe(conn, up)
}

func (n *clusterNetwork) dialHost(ctx context.Context, host string) (net.Conn, error) {
	service, namespace, port, err := parseServiceHost(host)
	if err != nil {
		return nil, err
	}
	return n.dial(ctx, namespace, service, port)
}

// parseServiceHost understands the names that cluster DNS gives to Services, with a port.
func parseServiceHost(hostport string) (service, namespace string, port int32, err error) {
	refuse := func(why string) (string, string, int32, error) {
		return "", "", 0, &unreachable{http.StatusBadGateway, fmt.Sprintf(
			"%s: %s; this proxy only leads to <service>.<namespace>[.svc[.cluster.local]]:<port> of the host cluster", hostport, why)}
	}
	host, portText, err := net.SplitHostPort(hostport)
	if err != nil {
		return refuse("no port")
	}
	number, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return refuse("not a port")
	}
	name := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(host, "."), ".cluster.local"), ".svc")
	service, namespace, ok := strings.Cut(name, ".")
	if !ok || service == "" || namespace == "" || strings.Contains(namespace, ".") || net.ParseIP(host) != nil {
		return refuse("not the name of a Service")
	}
	return service, namespace, int32(number), nil
}

// dial connects to a Service: to any ready pod behind it.
func (n *clusterNetwork) dial(ctx context.Context, namespace, name string, port int32) (net.Conn, error) {
	if namespace == "default" && name == "kubernetes" && port == 443 {
		return (&net.Dialer{}).DialContext(ctx, "tcp", n.hostAPI)
	}
	service, err := n.services.Services(namespace).Get(name)
	if err != nil {
		return nil, &unreachable{http.StatusBadGateway, fmt.Sprintf("there is no Service %q in namespace %q", name, namespace)}
	}
	target, ok := targetPort(service, port)
	if !ok {
		return nil, &unreachable{http.StatusBadGateway, fmt.Sprintf("Service %s/%s has no port %d", namespace, name, port)}
	}
	if len(service.Spec.Selector) == 0 {
		return nil, &unreachable{http.StatusBadGateway, fmt.Sprintf("Service %s/%s selects no pods", namespace, name)}
	}
	pods, err := n.pods.host.pods.Pods(namespace).List(labels.SelectorFromSet(service.Spec.Selector))
	if err != nil {
		return nil, err
	}
	err = errNotReady
	for _, pod := range pods {
		conn, dialErr := n.pods.dial(ctx, pod, podPort(pod, target))
		if dialErr == nil {
			return conn, nil
		}
		err = dialErr
	}
	return nil, &unreachable{http.StatusServiceUnavailable, fmt.Sprintf("Service %s/%s: %v", namespace, name, err)}
}

func targetPort(service *corev1.Service, port int32) (intstr.IntOrString, bool) {
	for _, p := range service.Spec.Ports {
		if p.Port != port {
			continue
		}
		if p.TargetPort == (intstr.IntOrString{}) {
			return intstr.FromInt32(port), true
		}
		return p.TargetPort, true
	}
	return intstr.IntOrString{}, false
}

func podPort(pod *corev1.Pod, target intstr.IntOrString) int {
	for i := range pod.Spec.Containers {
		if port := containerPort(&pod.Spec.Containers[i], target); port != 0 {
			return port
		}
	}
	return 0
}

// containerPort resolves a port that may be given by its name; 0 if there is none.
func containerPort(container *corev1.Container, port intstr.IntOrString) int {
	if port.Type == intstr.Int {
		return port.IntValue()
	}
	for _, p := range container.Ports {
		if p.Name == port.StrVal {
			return int(p.ContainerPort)
		}
	}
	return 0
}

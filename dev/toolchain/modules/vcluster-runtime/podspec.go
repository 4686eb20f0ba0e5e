package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// What vCluster's two images hold, as far as it is used. The syncer's image is
// vcluster alone; the other's binaries depend on the Kubernetes version.
var (
	requiredBinaries = []string{"vcluster", "kube-apiserver", "kube-controller-manager", "kine"}
	imageBinaries    = []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kine", "helm"}
)

// notRunnable is a fault of a container that retrying only helps if something else changes.
type notRunnable struct {
	container, reason, message string
}

func (e *notRunnable) Error() string { return e.reason + ": " + e.message }

// token is a service account token in a sandbox, to be renewed in time.
type token struct {
	source  corev1.ServiceAccountTokenProjection
	path    string
	renewAt time.Time
}

// checkImages refuses what this platform cannot run truthfully.
func checkImages(pod *corev1.Pod, kubernetesVersion string) error {
	for _, c := range pod.Spec.InitContainers {
		if c.Name != binariesContainer {
			return &notRunnable{binariesContainer, "ErrImagePull", fmt.Sprintf("init container %q: the dev platform has no container engine and runs vCluster's own containers only", c.Name)}
		}
		if version := imageTag(c.Image); version != kubernetesVersion {
			return &notRunnable{binariesContainer, "ErrImagePull", fmt.Sprintf(
				"the dev platform has Kubernetes %s, not %s: set the tenant's version to %s", kubernetesVersion, version, kubernetesVersion)}
		}
	}
	if containerNamed(pod.Spec.InitContainers, binariesContainer) == nil {
		return &notRunnable{syncerContainer, "ErrImagePull", "a pod labelled " + podLabel + " that has no init container \"" + binariesContainer + "\" is not one of the vCluster chart's; the dev platform runs no others under that label"}
	}
	for _, c := range pod.Spec.Containers {
		if c.Name != syncerContainer {
			return &notRunnable{syncerContainer, "ErrImagePull", fmt.Sprintf("container %q: the dev platform has no container engine and runs vCluster's own containers only", c.Name)}
		}
	}
	if containerNamed(pod.Spec.Containers, syncerContainer) == nil {
		return &notRunnable{binariesContainer, "ErrImagePull", "the pod has no container \"" + syncerContainer + "\""}
	}
	return nil
}

// imageTag returns the tag of an image reference, "latest" if it has none.
func imageTag(image string) string {
	image, _, _ = strings.Cut(image, "@")
	name := image[strings.LastIndex(image, "/")+1:] // a colon before it belongs to the registry's port
	if _, tag, ok := strings.Cut(name, ":"); ok {
		return tag
	}
	return "latest"
}

// sandboxBuilder turns a pod into a sandbox, reading from the host cluster what a kubelet would.
type sandboxBuilder struct {
	host     *hostCluster
	state    *stateFolder
	binaries string
	pod      *corev1.Pod
	ips      podState
	spec     sandboxSpec
	tokens   []token
	claims   map[string]types.UID
}

func (b *sandboxBuilder) build(ctx context.Context) (*sandboxSpec, []token, error) {
	syncer := containerNamed(b.pod.Spec.Containers, syncerContainer)
	b.spec = sandboxSpec{
		Root: b.state.root(), Hostname: b.pod.Name, Address: b.ips.podIP, Dir: "/",
		Args:  []string{"/vcluster", "start"},
		Binds: []bind{{Source: filepath.Join(b.binaries, "vcluster"), Target: "/vcluster", ReadOnly: true}},
		Files: []file{
			{Path: "/etc/hosts", Content: fmt.Appendf(nil, "127.0.0.1\tlocalhost\n%s\t%s\n", b.ips.podIP, b.pod.Name)},
			{Path: "/etc/passwd", Content: []byte("root:x:0:0:root:/:/sbin/nologin\n")},
		},
	}
	if len(syncer.Command) > 0 {
		b.spec.Args = append(append([]string{}, syncer.Command...), syncer.Args...)
	} else {
		b.spec.Args = append(b.spec.Args, syncer.Args...)
	}
	if syncer.WorkingDir != "" {
		b.spec.Dir = syncer.WorkingDir
	}
	env, err := b.environment(ctx, syncer)
	if err != nil {
		return nil, nil, err
	}
	b.spec.Env = env
	for _, mount := range syncer.VolumeMounts {
		if err := b.mount(ctx, mount); err != nil {
			return nil, nil, fmt.Errorf("volume %q: %w", mount.Name, err)
		}
	}
	return &b.spec, b.tokens, nil
}

func (b *sandboxBuilder) environment(ctx context.Context, c *corev1.Container) ([]string, error) {
	host, port, _ := net.SplitHostPort(hostAPIInside)
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/",
		"HOSTNAME=" + b.pod.Name,
		"KUBERNETES_SERVICE_HOST=" + host,
		"KUBERNETES_SERVICE_PORT=" + port,
	}
	if len(c.EnvFrom) > 0 {
		return nil, &notRunnable{syncerContainer, "CreateContainerConfigError", "envFrom is not supported on the dev platform"}
	}
	for _, v := range c.Env {
		value := v.Value
		if v.ValueFrom != nil {
			var err error
			if value, err = b.valueFrom(ctx, v.ValueFrom); err != nil {
				return nil, fmt.Errorf("environment variable %s: %w", v.Name, err)
			}
		}
		env = append(env, v.Name+"="+value)
	}
	return env, nil
}

func (b *sandboxBuilder) valueFrom(ctx context.Context, from *corev1.EnvVarSource) (string, error) {
	switch {
	case from.FieldRef != nil:
		return b.field(from.FieldRef.FieldPath)
	case from.SecretKeyRef != nil:
		secret, err := b.host.client.CoreV1().Secrets(b.pod.Namespace).Get(ctx, from.SecretKeyRef.Name, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		return string(secret.Data[from.SecretKeyRef.Key]), nil
	case from.ConfigMapKeyRef != nil:
		configMap, err := b.host.client.CoreV1().ConfigMaps(b.pod.Namespace).Get(ctx, from.ConfigMapKeyRef.Name, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		return configMap.Data[from.ConfigMapKeyRef.Key], nil
	}
	return "", &notRunnable{syncerContainer, "CreateContainerConfigError", "this kind of source is not supported on the dev platform"}
}

// field returns what the downward API would.
func (b *sandboxBuilder) field(fieldPath string) (string, error) {
	name, key, indexed := strings.Cut(strings.TrimSuffix(fieldPath, "']"), "['")
	switch {
	case indexed && name == "metadata.labels":
		return b.pod.Labels[key], nil
	case indexed && name == "metadata.annotations":
		return b.pod.Annotations[key], nil
	}
	fields := map[string]string{
		"metadata.name":           b.pod.Name,
		"metadata.namespace":      b.pod.Namespace,
		"metadata.uid":            string(b.pod.UID),
		"spec.nodeName":           b.pod.Spec.NodeName,
		"spec.serviceAccountName": b.pod.Spec.ServiceAccountName,
		"status.podIP":            b.ips.podIP,
		"status.podIPs":           b.ips.podIP,
		"status.hostIP":           b.ips.hostIP,
		"status.hostIPs":          b.ips.hostIP,
	}
	value, ok := fields[fieldPath]
	if !ok {
		return "", &notRunnable{syncerContainer, "CreateContainerConfigError", "field " + fieldPath + " is not supported on the dev platform"}
	}
	return value, nil
}

// mount makes one volume of the pod appear where the container wants it.
func (b *sandboxBuilder) mount(ctx context.Context, m corev1.VolumeMount) error {
	var volume *corev1.Volume
	for i := range b.pod.Spec.Volumes {
		if b.pod.Spec.Volumes[i].Name == m.Name {
			volume = &b.pod.Spec.Volumes[i]
		}
	}
	switch {
	case volume == nil:
		return fmt.Errorf("the pod has no such volume")
	case m.SubPath != "" || m.SubPathExpr != "":
		return unsupportedVolume("subPath")
	case volume.EmptyDir != nil && b.holdsBinaries(m.Name):
		return b.mountBinaries(m.MountPath)
	case volume.PersistentVolumeClaim != nil:
		return b.mountClaim(ctx, volume.PersistentVolumeClaim.ClaimName, m)
	case volume.EmptyDir != nil:
		folder, err := b.state.podFolder(b.pod.UID, m.Name)
		b.spec.Binds = append(b.spec.Binds, bind{Source: folder, Target: m.MountPath, ReadOnly: m.ReadOnly})
		return err
	case volume.Secret != nil:
		return b.addSecret(ctx, m.MountPath, volume.Secret.SecretName, volume.Secret.Items, volume.Secret.Optional)
	case volume.ConfigMap != nil:
		return b.addConfigMap(ctx, m.MountPath, volume.ConfigMap.Name, volume.ConfigMap.Items, volume.ConfigMap.Optional)
	case volume.Projected != nil:
		return b.addProjected(ctx, m.MountPath, volume.Projected.Sources)
	}
	return unsupportedVolume("this kind of volume")
}

func unsupportedVolume(what string) error {
	return &notRunnable{syncerContainer, "CreateContainerConfigError", what + " is not supported on the dev platform"}
}

// holdsBinaries reports whether the volume is the one that the init container
// fills from its image. It does nothing else, so its effect is made directly.
func (b *sandboxBuilder) holdsBinaries(volume string) bool {
	for _, m := range containerNamed(b.pod.Spec.InitContainers, binariesContainer).VolumeMounts {
		if m.Name == volume {
			return true
		}
	}
	return false
}

func (b *sandboxBuilder) mountBinaries(target string) error {
	b.spec.Dirs = append(b.spec.Dirs, target)
	for _, name := range imageBinaries {
		source := filepath.Join(b.binaries, name)
		if _, err := os.Stat(source); err == nil {
			b.spec.Binds = append(b.spec.Binds, bind{Source: source, Target: path.Join(target, name), ReadOnly: true})
		}
	}
	return nil
}

func (b *sandboxBuilder) mountClaim(ctx context.Context, name string, m corev1.VolumeMount) error {
	claim, err := b.host.client.CoreV1().PersistentVolumeClaims(b.pod.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if claim.Status.Phase != corev1.ClaimBound {
		return fmt.Errorf("claim %q is not bound", name)
	}
	if b.claims == nil {
		b.claims = map[string]types.UID{}
	}
	b.claims[name] = claim.UID
	folder, err := b.state.claimFolder(claim.UID)
	b.spec.Binds = append(b.spec.Binds, bind{Source: folder, Target: m.MountPath, ReadOnly: m.ReadOnly})
	return err
}

func (b *sandboxBuilder) addProjected(ctx context.Context, dir string, sources []corev1.VolumeProjection) error {
	for _, source := range sources {
		var err error
		switch {
		case source.ServiceAccountToken != nil:
			err = b.addToken(ctx, dir, *source.ServiceAccountToken)
		case source.ConfigMap != nil:
			err = b.addConfigMap(ctx, dir, source.ConfigMap.Name, source.ConfigMap.Items, source.ConfigMap.Optional)
		case source.Secret != nil:
			err = b.addSecret(ctx, dir, source.Secret.Name, source.Secret.Items, source.Secret.Optional)
		case source.DownwardAPI != nil:
			err = b.addDownward(dir, source.DownwardAPI.Items)
		default:
			err = unsupportedVolume("this kind of projected volume")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *sandboxBuilder) addSecret(ctx context.Context, dir, name string, items []corev1.KeyToPath, optional *bool) error {
	secret, err := b.host.client.CoreV1().Secrets(b.pod.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return unlessOptional(err, optional)
	}
	return b.addFiles(dir, secret.Data, items)
}

func (b *sandboxBuilder) addConfigMap(ctx context.Context, dir, name string, items []corev1.KeyToPath, optional *bool) error {
	configMap, err := b.host.client.CoreV1().ConfigMaps(b.pod.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return unlessOptional(err, optional)
	}
	data := map[string][]byte{}
	for key, value := range configMap.BinaryData {
		data[key] = value
	}
	for key, value := range configMap.Data {
		data[key] = []byte(value)
	}
	return b.addFiles(dir, data, items)
}

func unlessOptional(err error, optional *bool) error {
	if optional != nil && *optional {
		return nil
	}
	return err
}

func (b *sandboxBuilder) addFiles(dir string, data map[string][]byte, items []corev1.KeyToPath) error {
	b.spec.Dirs = append(b.spec.Dirs, dir)
	if items == nil {
		for key := range data {
			items = append(items, corev1.KeyToPath{Key: key, Path: key})
		}
	}
	for _, item := range items {
		content, ok := data[item.Key]
		if !ok {
			return fmt.Errorf("there is no key %q", item.Key)
		}
		b.spec.Files = append(b.spec.Files, file{Path: path.Join(dir, item.Path), Content: content})
	}
	return nil
}

func (b *sandboxBuilder) addDownward(dir string, items []corev1.DownwardAPIVolumeFile) error {
	for _, item := range items {
		if item.FieldRef == nil {
			return unsupportedVolume("resourceFieldRef")
		}
		value, err := b.field(item.FieldRef.FieldPath)
		if err != nil {
			return err
		}
		b.spec.Files = append(b.spec.Files, file{Path: path.Join(dir, item.Path), Content: []byte(value)})
	}
	return nil
}

func (b *sandboxBuilder) addToken(ctx context.Context, dir string, source corev1.ServiceAccountTokenProjection) error {
	t := token{source: source, path: path.Join(dir, source.Path)}
	content, err := requestToken(ctx, b.host, b.pod, &t)
	if err != nil {
		return fmt.Errorf("token of service account %q: %w", b.pod.Spec.ServiceAccountName, err)
	}
	b.tokens = append(b.tokens, t)
	b.spec.Files = append(b.spec.Files, *content)
	return nil
}

// requestToken asks for a token that is good for this pod's lifetime only, and
// notes when to ask again: after four fifths of its time, as a kubelet does.
func requestToken(ctx context.Context, host *hostCluster, pod *corev1.Pod, t *token) (*file, error) {
	tokenRequest := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: t.source.ExpirationSeconds,
		BoundObjectRef:    &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID},
	}}
	if t.source.Audience != "" {
		tokenRequest.Spec.Audiences = []string{t.source.Audience}
	}
	issued, err := host.client.CoreV1().ServiceAccounts(pod.Namespace).
		CreateToken(ctx, pod.Spec.ServiceAccountName, tokenRequest, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	t.renewAt = time.Now().Add(time.Until(issued.Status.ExpirationTimestamp.Time) * 4 / 5)
	return &file{Path: t.path, Content: []byte(issued.Status.Token)}, nil
}

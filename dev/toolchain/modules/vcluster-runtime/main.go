// Command vcluster-runtime is the dev platform's stand-in for three things a
// host cluster of fake nodes lacks: the kubelet and container runtime of vCluster
// pods, the cluster network, and the gateway in front of them.
//
// Every pod labelled app=vcluster gets a sandbox (Linux namespaces, no container
// engine) in which the real vcluster runs with the credentials of the pod's own
// service account; its status is what its process and its probes say.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"k8s.io/klog/v2"
)

const usage = `usage: vcluster-runtime serve [flags]   run the vCluster pods of a host cluster
       vcluster-runtime check           tell whether this machine can make sandboxes

The subcommand "sandbox" is internal: it is the first process inside a sandbox.`

// options are the flags of serve.
type options struct {
	kubeconfig        string
	state             string
	binaries          string
	kubernetesVersion string
	gateway           string
	clusterNetwork    string
	verbose           bool
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	var err error
	switch os.Args[1] {
	case "serve":
		err = serveCommand(os.Args[2:])
	case "check":
		err = checkSandboxes()
	case "sandbox":
		os.Exit(sandboxMain())
	case "help", "-h", "--help":
		fmt.Println(usage)
	default:
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "vcluster-runtime:", err)
		os.Exit(1)
	}
}

func serveCommand(args []string) error {
	opts, err := parseOptions(args)
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	if opts.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	slog.SetDefault(log)
	// client-go explains itself at great length below that level.
	klog.SetSlogLogger(slog.New(slog.NewTextHandler(os.Stderr, nil)).With("from", "client-go"))

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return serve(ctx, opts)
}

func parseOptions(args []string) (*options, error) {
	var opts options
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	flags.StringVar(&opts.kubeconfig, "kubeconfig", "", "administrator's kubeconfig of the host cluster")
	flags.StringVar(&opts.state, "state", "", "folder for volumes and logs; made if missing")
	flags.StringVar(&opts.binaries, "binaries", "", "folder with vcluster and what its images hold: "+strings.Join(requiredBinaries, ", "))
	flags.StringVar(&opts.kubernetesVersion, "kubernetes-version", "", "version of the kube-apiserver in that folder, such as v1.36.3")
	flags.StringVar(&opts.gateway, "gateway", "", "address of the TLS gateway, host:port")
	flags.StringVar(&opts.clusterNetwork, "cluster-network", "", "address of the proxy into the cluster network, host:port")
	flags.BoolVar(&opts.verbose, "verbose", false, "log refused connections and every change")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}

	var errs []error
	flags.VisitAll(func(f *flag.Flag) {
		if f.Value.String() == "" {
			errs = append(errs, fmt.Errorf("--%s is required", f.Name))
		}
	})
	if flags.NArg() > 0 {
		errs = append(errs, fmt.Errorf("unexpected argument %q", flags.Arg(0)))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}

	// Sandboxes change their root folder: a relative path would mean nothing there.
	for _, path := range []*string{&opts.state, &opts.binaries} {
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return nil, err
		}
		*path = absolute
	}
	for _, name := range requiredBinaries {
		if _, err := os.Stat(filepath.Join(opts.binaries, name)); err != nil {
			errs = append(errs, err)
		}
	}
	return &opts, errors.Join(errs...)
}

// serve runs until ctx ends; it returns nil when told to stop.
func serve(ctx context.Context, opts *options) error {
	state, err := openState(opts.state)
	if err != nil {
		return err
	}
	defer state.close()
	if err := checkSandboxes(); err != nil {
		return err
	}
	host, err := newHostCluster(opts.kubeconfig)
	if err != nil {
		return err
	}
	pods := newPodManager(host, state, opts)
	network := &clusterNetwork{services: host.services, pods: pods, hostAPI: host.address}
	gateway := newGateway(host, network)

	// Both addresses are taken before anything runs: a port in use is told at once.
	listen := func(address string) (net.Listener, error) {
		return (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	}
	gatewayListener, err := listen(opts.gateway)
	if err != nil {
		return err
	}
	networkListener, err := listen(opts.clusterNetwork)
	if err != nil {
		return err
	}
	go gateway.serve(ctx, gatewayListener)
	go network.serve(ctx, networkListener)
	go gateway.watchRoutes(ctx)

	slog.Info("serving", "host", host.address, "kubernetes", opts.kubernetesVersion,
		"gateway", opts.gateway, "clusterNetwork", opts.clusterNetwork)
	pods.run(ctx)
	slog.Info("stopped")
	return nil
}

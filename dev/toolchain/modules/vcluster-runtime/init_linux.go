package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// controlFD is where the first process finds its end of the socket pair.
	controlFD = 3
	// hostAPIInside is where a sandbox finds the host cluster's API server.
	hostAPIInside = "127.0.0.1:443"
	// setupFailed is the exit code of a sandbox that could not be made.
	setupFailed = 125
)

// sandboxMain is the first process of a sandbox: it makes the sandbox from the
// inside, runs the command, serves the runtime's requests and reaps orphans.
// When it ends, whatever the cause, the kernel ends every process of its
// namespace. It returns the command's exit code.
func sandboxMain() int {
	control, err := unixConn(os.NewFile(controlFD, "control"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		return setupFailed
	}
	// A signal that arrives early must not be lost: as process 1 the default is to ignore it.
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)

	command, err := enterSandbox(control)
	if err != nil {
		_ = send(control, answer{Error: err.Error()}, nil)
		return setupFailed
	}
	if command == 0 {
		_ = send(control, answer{}, nil)
		return 0
	}
	go serveRuntime(control)
	go func() {
		for range terminate {
			_ = syscall.Kill(command, syscall.SIGTERM)
		}
	}()
	return reapUntil(command)
}

// enterSandbox returns the process id of the command, or 0 if there is none to run.
func enterSandbox(control *net.UnixConn) (int, error) {
	var spec sandboxSpec
	if err := json.NewDecoder(os.Stdin).Decode(&spec); err != nil {
		return 0, fmt.Errorf("read what to run: %w", err)
	}
	if err := makeRoot(&spec); err != nil {
		return 0, err
	}
	if err := syscall.Sethostname([]byte(spec.Hostname)); err != nil {
		return 0, fmt.Errorf("set the host name: %w", err)
	}
	if err := raiseLoopback(spec.Address); err != nil {
		return 0, err
	}
	if len(spec.Args) == 0 {
		return 0, nil
	}

	door, err := net.Listen("tcp", hostAPIInside)
	if err != nil {
		return 0, fmt.Errorf("open the door to the host cluster: %w", err)
	}
	listener := door.(*net.TCPListener)
	if err := dropPrivileges(); err != nil {
		return 0, err
	}
	command, err := syscall.ForkExec(spec.Args[0], spec.Args, &syscall.ProcAttr{
		Dir: spec.Dir, Env: spec.Env,
		Files: []uintptr{0, 1, 2}, // standard input has been read to its end
	})
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", spec.Args[0], err)
	}
	if err := send(control, answer{}, listener); err != nil {
		return 0, fmt.Errorf("hand over the door: %w", err)
	}
	// The runtime accepts on its copy; nobody may accept here.
	return command, listener.Close()
}

// serveRuntime answers requests. The end of the stream means that the runtime is gone.
func serveRuntime(control *net.UnixConn) {
	for {
		var r request
		if _, err := receive(control, &r); err != nil {
			os.Exit(1)
		}
		if err := serveRequest(control, &r); err != nil {
			if err := send(control, answer{Error: err.Error()}, nil); err != nil {
				os.Exit(1)
			}
		}
	}
}

func serveRequest(control *net.UnixConn, r *request) error {
	if r.Write != nil {
		if err := replaceFile(r.Write); err != nil {
			return err
		}
		return send(control, answer{}, nil)
	}
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", r.Dial), 2*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	return send(control, answer{}, conn.(*net.TCPConn))
}

func replaceFile(f *file) error {
	next := f.Path + ".next"
	if err := os.WriteFile(next, f.Content, 0o600); err != nil {
		return err
	}
	return os.Rename(next, f.Path)
}

// reapUntil collects every process that ends in the sandbox, and returns the
// exit code of the one given.
func reapUntil(command int) int {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			fmt.Fprintln(os.Stderr, "sandbox: wait:", err)
			return 1
		case pid == command && status.Signaled():
			return 128 + int(status.Signal())
		case pid == command:
			return status.ExitStatus()
		}
	}
}

// raiseLoopback brings up the only network device there is, and gives it the pod's address.
func raiseLoopback(address string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	up, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	up.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, up); err != nil {
		return fmt.Errorf("bring up the loopback device: %w", err)
	}
	ip := net.ParseIP(address).To4()
	if ip == nil {
		return nil
	}
	alias, err := unix.NewIfreq("lo:pod")
	if err != nil {
		return err
	}
	if err := alias.SetInet4Addr(ip); err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFADDR, alias); err != nil {
		return fmt.Errorf("set the pod's address %s: %w", address, err)
	}
	return nil
}

// dropPrivileges takes every capability from what is started next, for good: the
// pods ask for no more, and it makes no difference then who runs the platform.
func dropPrivileges() error {
	for capability := range uintptr(unix.CAP_LAST_CAP + 1) {
		_, _, errno := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, capability, 0)
		if errno != 0 && errno != syscall.EINVAL { // EINVAL: the kernel is older than that capability
			return fmt.Errorf("drop capability %d: %w", capability, errno)
		}
	}
	if _, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); errno != 0 {
		return fmt.Errorf("forbid new privileges: %w", errno)
	}
	return nil
}

// inside turns a path of the sandbox into one below the root being made.
func inside(root, path string) string { return filepath.Join(root, filepath.Clean("/"+path)) }

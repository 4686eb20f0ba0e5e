package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sandbox is a running one. It has no way out but through this process: a door
// to the host cluster's API server, and the connections asked for with dial.
type sandbox struct {
	command *exec.Cmd
	control *net.UnixConn
	door    net.Listener
	turn    sync.Mutex // one request at a time on control

	done     chan struct{} // closed when every process has ended
	exitCode int           // valid once done is closed
}

// startSandbox returns once the command runs in its sandbox.
func startSandbox(name string, spec *sandboxSpec, hostAPI string, output *os.File) (*sandbox, error) {
	s, err := forkSandbox(name, spec, output)
	if err != nil {
		return nil, err
	}
	var first answer
	door, err := receive(s.control, &first)
	if err == nil {
		err = first.err()
	}
	if err == nil && door == nil {
		err = errors.New("the sandbox opened no door")
	}
	if err != nil {
		s.kill()
		<-s.done
		_ = s.control.Close()
		return nil, fmt.Errorf("make a sandbox: %w", err)
	}
	s.door, err = net.FileListener(door)
	_ = door.Close()
	if err != nil {
		s.kill()
		return nil, err
	}
	go relay(s.door, hostAPI)
	go func() {
		<-s.done
		_ = s.door.Close()
		_ = s.control.Close()
	}()
	return s, nil
}

// checkSandboxes makes an empty sandbox, so that a machine that cannot is told so at once.
func checkSandboxes() error {
	root, err := os.MkdirTemp("", "vcluster-runtime-check-")
	if err != nil {
		return err
	}
	defer os.Remove(root)
	s, err := forkSandbox("check", &sandboxSpec{Root: root, Hostname: "check", Address: "10.0.0.1"}, os.Stderr)
	if err == nil {
		defer s.control.Close()
		var first answer
		if _, err = receive(s.control, &first); err == nil {
			err = first.err()
		}
		<-s.done
	}
	if err != nil {
		return fmt.Errorf("this machine does not let user %d make Linux namespaces: %w\n"+
			"allow it (sysctl kernel.apparmor_restrict_unprivileged_userns=0, kernel.unprivileged_userns_clone=1,"+
			" user.max_user_namespaces>0; in a container: --privileged), or run as root", os.Geteuid(), err)
	}
	return nil
}

// forkSandbox starts this same program as the first process of new namespaces.
func forkSandbox(name string, spec *sandboxSpec, output *os.File) (*sandbox, error) {
	input, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	control, err := unixConn(ours)
	if err != nil {
		return nil, err
	}
	command := exec.Command("/proc/self/exe", "sandbox", name)
	command.Env = []string{}
	command.Stdin = bytes.NewReader(input)
	command.Stdout, command.Stderr = output, output
	command.ExtraFiles = []*os.File{theirs}
	command.SysProcAttr = namespaces()

	s := &sandbox{command: command, control: control, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel ends the sandbox when the thread that started it ends: keep that thread.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := command.Start()
		started <- err
		if err != nil {
			return
		}
		_ = command.Wait()
		s.exitCode = exitCode(command.ProcessState)
		close(s.done)
	}()
	if err := <-started; err != nil {
		_ = control.Close()
		return nil, err
	}
	return s, nil
}

// namespaces says how a sandbox is set apart. Without the right to do so as is,
// a user namespace gives it, in which this user is root.
func namespaces() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
		Setsid:     true, // Ctrl-C is for the runtime, which then stops sandboxes in order
	}
	if !mayMakeNamespaces() {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return attr
}

func mayMakeNamespaces() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	return os.Geteuid() == 0 && data[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
}

func socketPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "control"), os.NewFile(uintptr(fds[1]), "control"), nil
}

func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

// ask sends a request and returns the answer's socket, if any.
func (s *sandbox) ask(r request) (*os.File, error) {
	s.turn.Lock()
	defer s.turn.Unlock()
	if err := send(s.control, r, nil); err != nil {
		return nil, err
	}
	var a answer
	socket, err := receive(s.control, &a)
	if err != nil {
		return nil, err
	}
	return socket, a.err()
}

// dial connects to a port of the sandbox.
func (s *sandbox) dial(_ context.Context, port int) (net.Conn, error) {
	socket, err := s.ask(request{Dial: port})
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	return net.FileConn(socket)
}

// write replaces a file of the sandbox.
func (s *sandbox) write(f file) error {
	_, err := s.ask(request{Write: &f})
	return err
}

// stop asks the command to end, and ends every process when it has not within the time given.
func (s *sandbox) stop(patience time.Duration) {
	_ = s.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(patience):
		s.kill()
		<-s.done
	}
}

func (s *sandbox) kill() { _ = s.command.Process.Kill() }

// relay passes every connection that the listener accepts on to the address.
func relay(listener net.Listener, address string) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			up, err := net.DialTimeout("tcp", address, 5*time.Second)
			if err != nil {
				slog.Warn("host cluster does not answer", "address", address, "err", err)
				_ = conn.Close()
				return
			}
			pipe(conn, up)
		}()
	}
}

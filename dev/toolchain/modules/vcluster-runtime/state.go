package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"k8s.io/apimachinery/pkg/types"
)

// stateFolder is everything this program keeps on disk:
//
//	volumes/<claim UID>         what a PersistentVolumeClaim holds; goes with the claim
//	pods/<pod UID>/<volume>     emptyDir volumes; go with the pod
//	logs/<namespace>_<pod>.log  what a pod's processes print; stays for whoever asks why
//	root                        empty: where each sandbox mounts its root, out of everyone else's sight
type stateFolder struct {
	path string
	lock *os.File
}

// openState makes the folder and takes it for this process alone.
func openState(path string) (*stateFolder, error) {
	for _, folder := range []string{"volumes", "pods", "logs", "root"} {
		if err := os.MkdirAll(filepath.Join(path, folder), 0o700); err != nil {
			return nil, err
		}
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("%s is in use by another vcluster-runtime: %w", path, err)
	}
	return &stateFolder{path: path, lock: lock}, nil
}

func (s *stateFolder) close() { _ = s.lock.Close() }

// root is the empty folder that sandboxes mount their root on.
func (s *stateFolder) root() string { return filepath.Join(s.path, "root") }

// claimFolder returns the folder of a claim's volume, made if missing.
func (s *stateFolder) claimFolder(claim types.UID) (string, error) {
	path := filepath.Join(s.path, "volumes", string(claim))
	return path, os.MkdirAll(path, 0o700)
}

// podFolder returns the folder of a pod's emptyDir volume, made if missing.
func (s *stateFolder) podFolder(pod types.UID, volume string) (string, error) {
	path := filepath.Join(s.path, "pods", string(pod), volume)
	return path, os.MkdirAll(path, 0o700)
}

func (s *stateFolder) removeClaim(claim types.UID) {
	s.remove(filepath.Join("volumes", string(claim)))
}

func (s *stateFolder) removePod(pod types.UID) {
	s.remove(filepath.Join("pods", string(pod)))
}

// prune removes what belongs to pods and claims that are gone.
func (s *stateFolder) prune(keepPod, keepClaim func(types.UID) bool) {
	for folder, keep := range map[string]func(types.UID) bool{"pods": keepPod, "volumes": keepClaim} {
		entries, err := os.ReadDir(filepath.Join(s.path, folder))
		if err != nil {
			slog.Warn("cannot read the state folder", "err", err)
		}
		for _, entry := range entries {
			if !keep(types.UID(entry.Name())) {
				s.remove(filepath.Join(folder, entry.Name()))
			}
		}
	}
}

func (s *stateFolder) remove(relative string) {
	path := filepath.Join(s.path, relative)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err := os.RemoveAll(path); err != nil {
		slog.Warn("cannot remove a volume", "path", path, "err", err)
		return
	}
	slog.Info("removed", "path", path)
}

// openLog opens the file that a pod's processes write to.
func (s *stateFolder) openLog(namespace, pod string) (*os.File, error) {
	path := filepath.Join(s.path, "logs", namespace+"_"+pod+".log")
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// devices are the ones that a container has and a control plane may open.
var devices = []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}

// makeRoot builds the sandbox's root folder in memory and moves into it. Only
// this mount namespace sees any of it, and it vanishes with the last process.
func makeRoot(spec *sandboxSpec) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("leave the host's mounts: %w", err)
	}
	if err := unix.Mount("root", spec.Root, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return fmt.Errorf("mount a root folder: %w", err)
	}
	for _, dir := range append([]string{"/dev", "/etc", "/proc", "/tmp", "/var"}, spec.Dirs...) {
		if err := os.MkdirAll(inside(spec.Root, dir), 0o755); err != nil {
			return err
		}
	}
	for _, b := range spec.Binds {
		if err := bindInto(spec.Root, b); err != nil {
			return err
		}
	}
	for _, device := range devices {
		if err := bindInto(spec.Root, bind{Source: device, Target: device}); err != nil {
			return err
		}
	}
	for _, f := range spec.Files {
		path := inside(spec.Root, f.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.Content, 0o600); err != nil {
			return err
		}
	}
	mountProc(inside(spec.Root, "/proc"))
	return moveTo(spec.Root)
}

// mountProc may fail: an engine that masks parts of /proc forbids a fresh one.
// Nothing that runs here needs it.
func mountProc(target string) {
	if err := unix.Mount("proc", target, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		slog.Warn("sandbox: no /proc", "err", err)
	}
}

// moveTo makes the folder the root and lets go of the host's file system.
func moveTo(root string) error {
	if err := unix.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("change the root folder: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the host's file system: %w", err)
	}
	return unix.Chdir("/")
}

// bindInto shows a file or folder of the host in the sandbox: no copies of
// binaries of 100 MB.
func bindInto(root string, b bind) error {
	target := inside(root, b.Target)
	if err := makeMountPoint(b.Source, target); err != nil {
		return err
	}
	if err := unix.Mount(b.Source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("show %s as %s: %w", b.Source, b.Target, err)
	}
	if !b.ReadOnly {
		return nil
	}
	// Flags that the host set on its mount must be repeated: a user namespace may not lift them.
	var fs unix.Statfs_t
	if err := unix.Statfs(target, &fs); err != nil {
		return err
	}
	flags := uintptr(fs.Flags) & (unix.ST_NOSUID | unix.ST_NODEV | unix.ST_NOEXEC | unix.ST_NOATIME | unix.ST_NODIRATIME)
	if fs.Flags&unix.ST_RELATIME != 0 {
		flags |= unix.MS_RELATIME
	}
	if err := unix.Mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|flags, ""); err != nil {
		return fmt.Errorf("protect %s: %w", b.Target, err)
	}
	return nil
}

func makeMountPoint(source, target string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.MkdirAll(target, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

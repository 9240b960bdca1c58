package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/internal/flock"
)

// host is the machine of folders on disk and real processes.
type host struct {
	dir     string // of nodes
	site    site
	engines Engines
	logs    logs
	groups  *groups // nil: memory.max is not set
	log     *slog.Logger
}

// errRuns: a process of the node runs.
var errRuns = errors.New("agent: a process of the node runs already")

func (h *host) folder(node string) folder { return folder(filepath.Join(h.dir, node)) }

// Find is of machine.
func (h *host) Find() (map[string]left, error) {
	entries, err := os.ReadDir(h.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for nodes: %w", err)
	}
	all := map[string]left{}
	for _, entry := range entries {
		if !entry.IsDir() || fleet.CheckNode(entry.Name()) != nil {
			continue
		}
		l, err := h.findNode(entry.Name())
		if err != nil {
			return nil, fmt.Errorf("look for node %s: %w", entry.Name(), err)
		}
		all[entry.Name()] = l
	}
	return all, nil
}

func (h *host) findNode(node string) (left, error) {
	f := h.folder(node)
	var launch *launchFile
	if err := readJSON(f.launch(), &launch); err != nil {
		h.log.Warn("what a node was started with cannot be read", "node", node, "err", err)
	}
	var l left
	if launch != nil {
		l.launched, l.starts = &launch.Assignment, launch.Starts
	}
	lock, err := flock.Try(f.lock())
	if err == nil {
		return l, lock.Close() // nothing runs
	}
	if !errors.Is(err, flock.ErrHeld) {
		return l, err
	}
	if launch == nil { // one that has to be started again to be known
		launch = &launchFile{}
		l.launched = &launch.Assignment
	}
	var pid pidFile
	if err := readJSON(f.pid(), &pid); err != nil {
		h.log.Warn("a node's pid cannot be read", "node", node, "err", err)
	}
	if err := readJSON(f.path(stoppingFile), &l.stopping); err != nil {
		h.log.Warn("whether a node was asked to stop cannot be read", "node", node, "err", err)
	}
	l.process = h.adopt(f, pid, launch.LogOffset)
	return l, nil
}

// adopt takes over a process that holds the folder's lock. Its pid file may be
// missing, if the agent ended between starting it and writing that down.
func (h *host) adopt(f folder, pid pidFile, logOffset int64) process {
	p := &osProcess{folder: f, pid: pid.PID, began: pid.Began, logOffset: logOffset}
	if p.handle = openProcess(pid.PID, &pid.Birth); p.handle != nil {
		return p
	}
	if holder := lockHolder(f.lock()); holder != 0 {
		p.pid, p.handle = holder, openProcess(holder, nil)
		if info, err := os.Stat(f.launch()); err == nil {
			p.began = info.ModTime().UTC()
		}
	} else if birthOf(pid.PID) != pid.Birth {
		p.pid = 0 // it has become another's
	}
	if p.pid == 0 {
		h.log.Error("a node's process is not found, though it runs: it can be watched and not stopped", "folder", string(f))
	}
	return p
}

// Start is of machine.
func (h *host) Start(s step) (process, error) {
	a, f := s.assignment, h.folder(s.node)
	if err := h.site.check(a); err != nil {
		return nil, err
	}
	program, name, err := h.engines.Program(a.Engine)
	if err != nil {
		return nil, err
	}
	if err := portFree(h.site.listen(a)); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return nil, err
	}
	lock, err := flock.Try(f.lock())
	if errors.Is(err, flock.ErrHeld) {
		return nil, errRuns
	}
	if err != nil {
		return nil, err
	}
	defer lock.Close() // the child has it, too
	log, err := os.OpenFile(f.log(), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	offset, err := log.Seek(0, 2)
	if err != nil {
		return nil, err
	}
	if err := h.prepare(f, s, offset); err != nil {
		return nil, fmt.Errorf("prepare folder: %w", err)
	}
	cmd := exec.Command(program, args(f.config())...)
	cmd.Args[0] = name
	cmd.Dir, cmd.Env = string(f), h.site.environment(os.Environ(), a)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{lock}
	cmd.SysProcAttr = apart()
	end, err := h.groups.place(cmd.SysProcAttr, s.node, a.Memory)
	if err != nil {
		h.log.Warn("memory.max is not set", "node", s.node, "err", err)
	}
	began := time.Now().UTC()
	err = cmd.Start()
	end()
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	p := &osProcess{folder: f, pid: cmd.Process.Pid, began: began, logOffset: offset, child: cmd}
	// Nobody has waited for it, so the pid is still its own.
	p.handle = openProcess(p.pid, nil)
	// Without this file the next agent finds the process by its lock.
	if err := f.writeJSON("pid", pidFile{PID: p.pid, Birth: birthOf(p.pid), Began: began}); err != nil {
		h.log.Warn("cannot write down a node's pid", "node", s.node, "err", err)
	}
	return p, nil
}

// prepare writes all files of a node. The pid of the process before goes first: a
// pid file is that of the process that holds the lock, or none.
func (h *host) prepare(f folder, s step, logOffset int64) error {
	a := s.assignment
	for _, path := range []string{f.pid(), f.path(stoppingFile)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	config, err := h.site.config(a, string(f))
	if err != nil {
		return err
	}
	if err := f.write("node.yaml", string(config)); err != nil {
		return err
	}
	if err := writeTLS(f, a.TLS); err != nil {
		return err
	}
	return f.writeJSON("launch.json", launchFile{Assignment: a, Starts: s.starts, LogOffset: logOffset})
}

func writeTLS(f folder, t *fleet.TLS) error {
	if t == nil {
		return nil
	}
	return errors.Join(f.write(keyFile, t.Key), f.write(certFile, t.Certificate))
}

// Renew is of machine.
func (h *host) Renew(s step) error {
	f := h.folder(s.node)
	var launch launchFile
	if err := readJSON(f.launch(), &launch); err != nil {
		return err
	}
	if err := writeTLS(f, s.assignment.TLS); err != nil {
		return fmt.Errorf("write certificate: %w", err)
	}
	launch.Assignment = s.assignment
	return f.writeJSON("launch.json", launch)
}

// portFree says who cannot be told apart otherwise from a node that crashes: somebody
// else on its port.
func portFree(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("its port is not free: %w", err)
	}
	return l.Close()
}

// Remove is of machine.
func (h *host) Remove(node string) error {
	f := h.folder(node)
	if err := fleet.CheckNode(node); err != nil {
		return err
	}
	if _, err := os.Stat(string(f)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lock, err := flock.Try(f.lock())
	if errors.Is(err, flock.ErrHeld) {
		return errRuns
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := h.groups.remove(node); err != nil {
		h.log.Warn("a node's control group stays", "node", node, "err", err)
	}
	if err := os.RemoveAll(string(f)); err != nil {
		return fmt.Errorf("remove folder: %w", err)
	}
	return nil
}

// Tend is of machine.
func (h *host) Tend(node string) error { return h.logs.rotate(h.folder(node).log()) }

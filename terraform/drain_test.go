package terraform_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// fakeSystemd is as much of systemd as there is to a host's drain: one unit, that of the
// agent, with real processes in its control group. What it does to them is by the unit's
// own file. testdata/systemctl asks it.
type fakeSystemd struct {
	t      *testing.T
	dir    string // of the control group
	notes  string // file that nodes write into
	kill   string // KillMode=
	always bool   // Restart=always

	mu      sync.Mutex
	stopped bool               // by systemctl stop: nothing restarts it
	agent   *exec.Cmd          // nil: does not run
	procs   map[*exec.Cmd]bool // all that runs in the group
	changed *sync.Cond         // procs
	calls   []string
	ending  bool // the test is over
}

const agentUnit = "redoubt-agent.service"

func newFakeSystemd(t *testing.T, groups string) *fakeSystemd {
	t.Helper()
	unit, err := os.ReadFile("aws/modules/hosts/files/" + agentUnit)
	if err != nil {
		t.Fatal(err)
	}
	set := func(name string) string {
		if m := regexp.MustCompile(`(?m)^` + name + `=(.*)$`).FindSubmatch(unit); m != nil {
			return string(m[1])
		}
		return ""
	}
	s := &fakeSystemd{
		t: t, dir: filepath.Join(groups, "system.slice", agentUnit), notes: filepath.Join(t.TempDir(), "notes"),
		kill: set("KillMode"), always: set("Restart") == "always", procs: map[*exec.Cmd]bool{},
	}
	s.changed = sync.NewCond(&s.mu)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.startAgent()
	t.Cleanup(s.end)
	return s
}

// startAgent starts the agent, and the agent its nodes. With mu.
func (s *fakeSystemd) startAgent() {
	s.agent = s.start("sleep", "1000")
	for node := range 2 - (len(s.procs) - 1) {
		s.startNode(fmt.Sprint("n", node+1))
	}
}

// startNode starts a node: it takes a while to hand over, and notes how often it is asked
// to. With mu.
func (s *fakeSystemd) startNode(name string) {
	s.start("bash", "-c", `trap 'echo asked `+name+` >>"$0"; [ -z "$asked" ] || exit; asked=1; sleep 0.4; kill $!; exit' TERM
sleep 1000 & echo up >>"$0"; wait`, s.notes)
}

// start starts a process in the group. With mu.
func (s *fakeSystemd) start(program string, args ...string) *exec.Cmd {
	command := exec.Command(program, args...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // to be ended with its children
	if err := command.Start(); err != nil {
		s.t.Error(err)
		return nil
	}
	s.procs[command] = true
	s.writeProcs()
	go func() {
		_ = command.Wait() // how it ended is of no interest
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ended(command)
	}()
	return command
}

// ended is what follows from the end of a process. With mu.
func (s *fakeSystemd) ended(command *exec.Cmd) {
	delete(s.procs, command)
	switch {
	case s.ending:
	case command == s.agent:
		s.agent = nil
		if s.always && !s.stopped {
			s.startAgent()
		}
	case s.agent != nil:
		s.startNode("again") // what an agent is for
	}
	s.writeProcs()
	s.changed.Broadcast()
}

// writeProcs tells who is in the group. With mu.
func (s *fakeSystemd) writeProcs() {
	var list bytes.Buffer
	for command := range s.procs {
		fmt.Fprintln(&list, command.Process.Pid)
	}
	file := filepath.Join(s.dir, "cgroup.procs")
	err := errors.Join(os.MkdirAll(s.dir, 0o755), os.WriteFile(file+".new", list.Bytes(), 0o644), os.Rename(file+".new", file))
	if err != nil {
		s.t.Error(err)
	}
}

func (s *fakeSystemd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	line := string(body)
	s.calls = append(s.calls, line)
	if !strings.HasSuffix(line, " "+agentUnit) {
		http.Error(w, "no such unit: "+line, http.StatusBadRequest)
		return
	}
	switch verb, _, _ := strings.Cut(line, " "); {
	case verb == "stop":
		s.stop()
	case strings.HasPrefix(line, "mask --runtime "), verb == "disable":
		// A mask in /run is below the unit in /etc, and disabling is for the next boot.
	case verb == "mask":
		http.Error(w, "Failed to mask unit: File /etc/systemd/system/"+agentUnit+" already exists.", http.StatusBadRequest)
	case verb == "kill" && strings.Contains(line, "--kill-whom=all"):
		s.signal(func(*exec.Cmd) bool { return true })
	case verb == "show":
		if s.agent != nil {
			fmt.Fprintln(w, "/system.slice/"+agentUnit)
		}
	default:
		http.Error(w, "not expected: "+line, http.StatusBadRequest)
	}
}

// stop stops the unit and waits for what it has to end. With mu.
func (s *fakeSystemd) stop() {
	s.stopped = true
	agent := s.agent
	if s.kill == "process" {
		s.signal(func(c *exec.Cmd) bool { return c == agent })
		for s.agent != nil {
			s.changed.Wait()
		}
		return
	}
	s.signal(func(*exec.Cmd) bool { return true })
	for len(s.procs) > 0 {
		s.changed.Wait()
	}
}

// signal sends SIGTERM. With mu.
func (s *fakeSystemd) signal(which func(*exec.Cmd) bool) {
	for command := range s.procs {
		if which(command) {
			_ = command.Process.Signal(syscall.SIGTERM) // it may have ended
		}
	}
}

// pids are those in the group.
func (s *fakeSystemd) pids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var pids []string
	for command := range s.procs {
		pids = append(pids, strconv.Itoa(command.Process.Pid))
	}
	return pids
}

// noted is how often nodes have written a line.
func (s *fakeSystemd) noted(line string) int {
	content, err := os.ReadFile(s.notes)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Error(err)
	}
	return strings.Count(string(content), line+"\n")
}

// end ends everything that was started.
func (s *fakeSystemd) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ending = true
	for len(s.procs) > 0 {
		for command := range s.procs {
			_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL) // it may have ended
		}
		s.changed.Wait()
	}
}

// TestDrain is the end of a host: nothing happens until auto scaling wants it gone; then
// every node is asked once, by when no agent is there to start it again, and auto scaling
// hears of it last, when nothing runs any more.
func TestDrain(t *testing.T) {
	t.Parallel()
	aws := newFakeAWS(t)
	groups := t.TempDir()
	systemd := newFakeSystemd(t, groups)
	control := httptest.NewServer(systemd)
	defer control.Close()
	asked := 0
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut && r.URL.Path == "/api/token":
			fmt.Fprint(w, "secret")
		case r.URL.Path == "/meta-data/autoscaling/target-lifecycle-state" && r.Header.Get("X-aws-ec2-metadata-token") == "secret":
			if asked++; asked < 2 || systemd.noted("up") < 2 {
				fmt.Fprint(w, "InService")
				return
			}
			if runs := systemd.pids(); len(runs) != 3 {
				t.Errorf("of the agent and two nodes, %v run while the host is in service", runs)
			}
			fmt.Fprint(w, "Terminated")
		default:
			http.Error(w, "no", http.StatusUnauthorized)
		}
	}))
	defer metadata.Close()
	output := run(t, append([]string{
		"METADATA_SERVICE=" + metadata.URL, "FAKE_SYSTEMD=" + control.URL, "CONTROL_GROUPS=" + groups,
		"DRAIN_INTERVAL=0.1", "DRAIN_SECONDS=10", "DRAIN_HOOK=drain",
		"AUTOSCALING_GROUP_PREFIX=shop-hosts-", "INSTANCE_AZ=eu-central-1a", "INSTANCE_ID=i-1",
	}, aws.env...), "aws/modules/hosts/files/drain.sh")
	if runs := systemd.pids(); len(runs) > 0 {
		t.Errorf("still there after the drain: %v; asked of systemd: %q, output %s", runs, systemd.calls, output)
	}
	for note, want := range map[string]int{"up": 2, "asked n1": 1, "asked n2": 1, "asked again": 0} {
		if got := systemd.noted(note); got != want {
			t.Errorf("nodes have noted %q %d times, want %d", note, got, want)
		}
	}
	calls, err := os.ReadFile(filepath.Join(aws.dir, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	want := "aws autoscaling complete-lifecycle-action --lifecycle-hook-name drain --auto-scaling-group-name shop-hosts-eu-central-1a --instance-id i-1 --lifecycle-action-result CONTINUE\n"
	if string(calls) != want {
		t.Errorf("told to auto scaling\n%s\nwant\n%s", calls, want)
	}
}

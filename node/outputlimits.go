package node

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// outputLimit is what client-output-buffer-limit says of one class; zero: none.
type outputLimit struct {
	hard, soft int64
	softFor    time.Duration
}

// clientClass is a class of clients, in the order of CONFIG GET.
type clientClass int

const (
	classNormal clientClass = iota
	classReplica
	classPubSub
)

// outputLimits are those of all classes. That of replicas is kept and shown, and limits
// nobody: they read from the log, not from the primary.
type outputLimits [3]outputLimit

// defaultOutputLimits are Redis's.
var defaultOutputLimits = outputLimits{
	classReplica: {hard: 256 << 20, soft: 64 << 20, softFor: time.Minute},
	classPubSub:  {hard: 32 << 20, soft: 8 << 20, softFor: time.Minute},
}

var classNames = map[string]clientClass{"normal": classNormal, "slave": classReplica, "replica": classReplica, "pubsub": classPubSub}

func getOutputLimits(_ *engine, s *settings) string {
	var parts []string
	for class, name := range []string{"normal", "slave", "pubsub"} {
		l := s.outputLimit(clientClass(class))
		parts = append(parts, fmt.Sprintf("%s %d %d %d", name, l.hard, l.soft, int64(l.softFor/time.Second)))
	}
	return strings.Join(parts, " ")
}

// setOutputLimits reads "class hard soft seconds", of one class or more. Classes that
// are not named keep what they have.
func setOutputLimits(_ *engine, s *settings, v string) error {
	var f []string
	if v != "" {
		f = strings.Split(v, " ")
	}
	if len(f)%4 != 0 {
		return badValue("Wrong number of arguments in buffer limit configuration.")
	}
	next := *s.output.Load()
	for ; len(f) > 0; f = f[4:] {
		class, ok := classNames[strings.ToLower(f[0])]
		if !ok {
			return badValue("Invalid client class specified in buffer limit configuration.")
		}
		hard, err1 := parseMemory(f[1])
		soft, err2 := parseMemory(f[2])
		seconds, err3 := strconv.ParseInt(f[3], 10, 32)
		if err1 != nil || err2 != nil || err3 != nil || seconds < 0 {
			return badValue("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
		}
		next[class] = outputLimit{hard: hard, soft: soft, softFor: time.Duration(seconds) * time.Second}
	}
	s.output.Store(&next)
	return nil
}

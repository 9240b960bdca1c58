package main

import (
	"regexp"
	"strings"
)

// parts are parts of Redis that Redoubt is to have, by their commands and
// subcommands ("client|tracking"). While such a command is missing, a failure that
// names it as unknown is excused; once it is built the failure counts by itself.
var parts = map[string]string{
	"eval": "scripting", "evalsha": "scripting", "eval_ro": "scripting", "evalsha_ro": "scripting", "script": "scripting",
	"function": "scripting", "fcall": "scripting", "fcall_ro": "scripting",
	"subscribe": "publish/subscribe", "psubscribe": "publish/subscribe", "ssubscribe": "publish/subscribe",
	"unsubscribe": "publish/subscribe", "punsubscribe": "publish/subscribe", "sunsubscribe": "publish/subscribe",
	"publish": "publish/subscribe", "spublish": "publish/subscribe", "pubsub": "publish/subscribe",
	"cluster": "cluster mode", "asking": "cluster mode",
	"client|pause": "CLIENT PAUSE", "client|unpause": "CLIENT PAUSE",
	"client|tracking": "client-side caching", "client|caching": "client-side caching",
}

func notBuilt(command string) string {
	part, ok := parts[command]
	if !ok {
		part = strings.ToUpper(strings.ReplaceAll(command, "|", " "))
	}
	return "not built yet: " + part
}

// Reasons that commands and parameters of CONFIG have in common.
const (
	noFiles       = "no node writes an RDB or append-only file: every write is in the log, and snapshots are made by redoubt snapshot"
	noReplication = "replicas follow the log in etcd and S3; there is no replication stream to read"
	noMigrate     = "MIGRATE is not offered, as in MemoryDB"
	noShutdown    = "nodes are stopped by whoever runs them: SHUTDOWN is not offered, as in MemoryDB"
	noEviction    = "nothing is ever evicted, so no access times or frequencies are kept"
	noThread      = "no thread frees memory in the background: Go's garbage collector does, for DEL and UNLINK alike"

	twoAtOnce = "passes or not: the test sends on two connections at the same time and takes it for granted whose command is executed first, as Redis's one thread decides it; TestXReadWaitsForAStreamToComeBack and TestBlockingEqualsRedis of node wait for the one before they send the other"

	laterXReadGroup = "since 7.2 a reader of a group that waits runs its command again when its key is gone or another, and gets that error"
)

// absentCommands are those that Redoubt is not to have.
var absentCommands = map[string]string{
	"save": noFiles, "bgsave": noFiles, "bgrewriteaof": noFiles, "lastsave": noFiles,
	"sync": noReplication, "psync": noReplication, "replicaof": noReplication, "slaveof": noReplication,
	"migrate": noMigrate, "shutdown": noShutdown,
}

// absentParameters are parameters of CONFIG that have no meaning here, or belong
// to a part that is not built.
var absentParameters = map[string]string{
	"repl-ping-replica-period": noReplication, "repl-backlog-size": noReplication,
	"aof-use-rdb-preamble": noFiles, "rdb-key-save-delay": noFiles, "key-load-delay": noFiles, "rdbcompression": noFiles,
	"lua-time-limit": notBuilt("eval"), "busy-reply-threshold": notBuilt("eval"),
	"notify-keyspace-events":  "not built yet: keyspace notifications",
	"tracking-table-max-keys": notBuilt("client|tracking"),
}

var (
	unknownCommand   = regexp.MustCompile(`(?i)unknown (?:sub)?command '([^']*)'(?:\. Try (\w+) HELP)?`)
	unknownParameter = regexp.MustCompile(`Unknown option or number of arguments for CONFIG SET - '([^']*)'`)
	heldParameter    = regexp.MustCompile(`CONFIG SET failed \(possibly related to argument '([^']*)'\)`)
)

// heldParameters have one value here, and a test that sets another one is about
// what Redoubt does not have.
var heldParameters = map[string]string{
	"activedefrag": "there is no allocator whose fragments could be moved together: Go's heap has size classes",
	"appendonly":   noFiles, "appendfsync": noFiles, "save": noFiles, "maxmemory-policy": noEviction,
}

// missing is the reason that an error says by itself, if it is one.
func (e *Excuses) missing(detail string) string {
	for _, m := range unknownCommand.FindAllStringSubmatch(detail, -1) {
		name := strings.ToLower(m[1])
		if m[2] != "" {
			name = strings.ToLower(m[2]) + "|" + name
		}
		if e.has(name) {
			continue
		}
		if _, ok := parts[name]; ok {
			return notBuilt(name)
		}
		if why := absentCommands[name]; why != "" {
			return why
		}
	}
	for _, m := range unknownParameter.FindAllStringSubmatch(detail, -1) {
		if why := absentParameters[strings.ToLower(m[1])]; why != "" {
			return why
		}
	}
	for _, m := range heldParameter.FindAllStringSubmatch(detail, -1) {
		if why := heldParameters[strings.ToLower(m[1])]; why != "" {
			return why
		}
	}
	return ""
}

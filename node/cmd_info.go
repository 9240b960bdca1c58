package node

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/redoubtdb/redoubt/node/acl"
	"github.com/redoubtdb/redoubt/node/command"
)

// RedisVersion is the version of Redis whose commands and replies are spoken.
const RedisVersion = "7.2.0"

func infoRows() []*command.Command {
	return []*command.Command{
		{Name: "info", Group: "server", Since: "1.0.0", Arity: -1, Flags: command.Loading | command.Stale, Categories: command.CatDangerous,
			Tips: []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"}, Handler: info},
		{Name: "time", Group: "server", Since: "2.6.0", Arity: 1, Flags: command.Loading | command.Stale | command.Fast,
			Tips: []string{"nondeterministic_output"}, Handler: timeCommand},
		{Name: "lolwut", Group: "server", Since: "5.0.0", Arity: -1, Flags: command.ReadOnly | command.Fast, Handler: lolwut},
	}
}

func timeCommand(x *command.Ctx) {
	now := time.Now()
	x.Out.Array(2)
	x.Out.BulkString(fmt.Sprint(now.Unix()))
	x.Out.BulkString(fmt.Sprint(now.Nanosecond() / 1000))
}

// lolwut answers LOLWUT without a drawing, as Redis does for versions that have none.
func lolwut(x *command.Ctx) {
	if len(x.Args) > 2 && command.EqualFold(x.Args[1], "VERSION") {
		for i := 2; i < len(x.Args); i++ { // the version, then what the drawing would take
			if _, ok := x.Int(i); !ok {
				return
			}
		}
	}
	x.Out.Verbatim("txt", "Redoubt ver. "+Version()+", Redis ver. "+RedisVersion+"\n")
}

// infoSection renders one section of INFO.
type infoSection struct {
	name  string // lower case, as it is asked for
	title string
	write func(*infoWriter, *conn)
	extra bool // not in the default
}

var infoSections = []infoSection{
	{"server", "Server", infoServer, false},
	{"clients", "Clients", infoClients, false},
	{"memory", "Memory", infoMemory, false},
	{"persistence", "Persistence", infoPersistence, false},
	{"stats", "Stats", infoStats, false},
	{"replication", "Replication", infoReplication, false},
	{"cpu", "CPU", infoCPU, false},
	{"commandstats", "Commandstats", infoCommandStats, true},
	{"errorstats", "Errorstats", infoErrorStats, false},
	{"latencystats", "Latencystats", infoLatencyStats, true},
	{"cluster", "Cluster", infoCluster, false},
	{"keyspace", "Keyspace", infoKeyspace, false},
	{"redoubt", "Redoubt", infoRedoubt, false},
}

type infoWriter struct{ strings.Builder }

func (w *infoWriter) field(name string, value any) { fmt.Fprintf(w, "%s:%v\r\n", name, value) }

// info answers the sections asked for. What it tells of the data is
// statistics, not data: it is not held back until a commit, so that an
// operator can look at a node that waits for its quorum.
func info(x *command.Ctx) {
	var asked []string
	usual, all := len(x.Args) == 1, false
	for _, a := range x.Args[1:] {
		s := strings.ToLower(string(a))
		asked = append(asked, s)
		usual = usual || s == "default"
		all = all || s == "all" || s == "everything"
	}
	w := &infoWriter{}
	for _, s := range infoSections {
		if !all && (!usual || s.extra) && !slices.Contains(asked, s.name) {
			continue
		}
		if w.Len() > 0 {
			w.WriteString("\r\n")
		}
		w.WriteString("# " + s.title + "\r\n")
		s.write(w, client(x))
	}
	x.Out.Verbatim("txt", w.String())
}

func infoServer(w *infoWriter, c *conn) {
	n, st := c.srv.node, &c.srv.engine.stats
	up := time.Since(st.started)
	w.field("redis_version", RedisVersion)
	build, _ := debug.ReadBuildInfo()
	sha1, dirty := gitRevision(build)
	w.field("redis_git_sha1", sha1)
	w.field("redis_git_dirty", dirty)
	w.field("redoubt_version", Version())
	w.field("redis_mode", "standalone")
	w.field("os", osName())
	w.field("arch_bits", 32<<(^uint(0)>>63))
	w.field("go_version", runtime.Version())
	w.field("process_id", os.Getpid())
	w.field("run_id", n.runID)
	infoListeners(w, c.srv.cfg)
	w.field("server_time_usec", time.Now().UnixMicro())
	w.field("uptime_in_seconds", int64(up.Seconds()))
	w.field("uptime_in_days", int64(up.Hours()/24))
}

// infoListeners are the ports that clients are served on.
func infoListeners(w *infoWriter, s *settings) {
	n, port := 0, s.port
	if port == 0 {
		port = s.tlsPort
	}
	w.field("tcp_port", port)
	for _, l := range []struct {
		name string
		port int
	}{{"tcp", s.port}, {"tls", s.tlsPort}} {
		if l.port != 0 {
			w.field(fmt.Sprintf("listener%d", n), fmt.Sprintf("name=%s,bind=%s,port=%d", l.name, s.bind, l.port))
			n++
		}
	}
}

func osName() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return runtime.GOOS
	}
	return fmt.Sprintf("%s %s %s", unix.ByteSliceToString(u.Sysname[:]), unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:]))
}

func infoClients(w *infoWriter, c *conn) {
	w.field("connected_clients", c.srv.clients())
	w.field("maxclients", c.srv.cfg.maxClients.Load())
	w.field("blocked_clients", len(c.srv.engine.waits.waiting)+len(c.srv.engine.pause.postponed))
	w.field("waiting_for_commit", c.srv.engine.gate.waitingCount())
}

func infoMemory(w *infoWriter, c *conn) {
	r := c.srv.memoryReport()
	field := func(name string, bytes uint64) {
		w.field(name, bytes)
		w.field(name+"_human", human(bytes))
	}
	field("used_memory", r.heap)
	field("used_memory_rss", r.rss)
	field("used_memory_peak", r.peak)
	w.field("used_memory_peak_perc", fmt.Sprintf("%.2f%%", 100*ratio(r.heap, r.peak)))
	w.field("used_memory_overhead", r.overhead())
	w.field("used_memory_startup", r.startup)
	w.field("used_memory_dataset", r.dataset)
	w.field("used_memory_dataset_perc", fmt.Sprintf("%.2f%%", 100*float64(r.dataset)/float64(r.net())))
	w.field("allocator_allocated", r.heap)
	w.field("allocator_active", r.active)
	w.field("allocator_resident", r.resident)
	field("total_system_memory", uint64(r.system))
	over := func(name string, of, than uint64) {
		w.field(name+"_ratio", fmt.Sprintf("%.2f", ratio(of, than)))
		w.field(name+"_bytes", int64(of)-int64(than))
	}
	over("allocator_frag", r.active, r.heap)
	over("allocator_rss", r.resident, r.active)
	over("rss_overhead", r.rss, r.resident)
	over("mem_fragmentation", r.rss, r.heap)
	w.field("mem_clients_normal", r.clients)
	w.field("maxmemory", c.srv.cfg.maxMemory.Load())
	w.field("maxmemory_human", human(uint64(c.srv.cfg.maxMemory.Load())))
	w.field("maxmemory_policy", "noeviction")
	w.field("mem_allocator", "go")
}

// human prints bytes as redis does: 1.50M.
func human(n uint64) string {
	f, units := float64(n), []string{"K", "M", "G", "T"}
	if n < 1024 {
		return fmt.Sprintf("%dB", n)
	}
	i := -1
	for f >= 1024 && i < len(units)-1 {
		f /= 1024
		i++
	}
	return fmt.Sprintf("%.2f%s", f, units[i])
}

func infoPersistence(w *infoWriter, c *conn) {
	e, p := c.srv.engine, &c.srv.node.load
	loading := 0
	if e.role == RoleLoading {
		loading = 1
	}
	w.field("loading", loading)
	w.field("async_loading", 0)
	if loading == 1 {
		w.field("loading_start_time", p.started.Load())
		w.field("loading_total_bytes", p.totalBytes.Load())
		w.field("loading_loaded_bytes", p.loadedBytes.Load())
		w.field("loading_loaded_perc", fmt.Sprintf("%.2f", p.percent()))
		w.field("loading_eta_seconds", p.eta(time.Now()))
		if phase := p.phase.Load(); phase != nil {
			w.field("loading_phase", *phase)
		}
	}
	w.field("rdb_bgsave_in_progress", 0)
	w.field("aof_enabled", 1)
	w.field("aof_rewrite_in_progress", 0)
	w.field("aof_last_write_status", "ok")
}

func infoStats(w *infoWriter, c *conn) {
	st := &c.srv.engine.stats
	w.field("total_connections_received", st.connections.Load())
	w.field("total_commands_processed", st.commands)
	w.field("instantaneous_ops_per_sec", int64(st.rates.commands.perSecond()))
	w.field("total_net_input_bytes", st.netInput.Load())
	w.field("total_net_output_bytes", st.netOutput.Load())
	w.field("instantaneous_input_kbps", fmt.Sprintf("%.2f", st.rates.input.perSecond()/1024))
	w.field("instantaneous_output_kbps", fmt.Sprintf("%.2f", st.rates.output.perSecond()/1024))
	w.field("rejected_connections", st.rejectedConnections.Load())
	w.field("expired_keys", st.Expired)
	w.field("evicted_keys", 0)
	w.field("evicted_clients", c.srv.memory.evicted.Load())
	w.field("keyspace_hits", st.Hits)
	w.field("keyspace_misses", st.Misses)
	w.field("client_query_buffer_limit_disconnections", st.queryLimitCuts.Load())
	w.field("client_output_buffer_limit_disconnections", st.outputLimitCuts.Load())
	w.field("total_error_replies", st.errorReplies)
	log := &c.srv.engine.users.log
	w.field("acl_access_denied_auth", log.Denied(acl.DeniedAuth))
	w.field("acl_access_denied_cmd", log.Denied(acl.DeniedCommand))
	w.field("acl_access_denied_key", log.Denied(acl.DeniedKey))
	w.field("acl_access_denied_channel", log.Denied(acl.DeniedChannel))
}

func infoCPU(w *infoWriter, _ *conn) {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return
	}
	w.field("used_cpu_sys", fmt.Sprintf("%d.%06d", u.Stime.Sec, u.Stime.Usec))
	w.field("used_cpu_user", fmt.Sprintf("%d.%06d", u.Utime.Sec, u.Utime.Usec))
}

func infoCommandStats(w *infoWriter, c *conn) {
	e := c.srv.engine
	e.stats.called(e.table, func(cmd *command.Command, s *commandStats) {
		perCall := 0.0
		if s.calls > 0 {
			perCall = float64(s.total.Microseconds()) / float64(s.calls)
		}
		w.field("cmdstat_"+cmd.FullName(), fmt.Sprintf("calls=%d,usec=%d,usec_per_call=%.2f,rejected_calls=%d,failed_calls=%d",
			s.calls, s.total.Microseconds(), perCall, s.rejected, s.failed))
	})
}

func infoErrorStats(w *infoWriter, c *conn) {
	st := &c.srv.engine.stats
	for _, name := range slices.Sorted(maps.Keys(st.errors)) {
		w.field("errorstat_"+name, fmt.Sprintf("count=%d", st.errors[name]))
	}
}

func infoLatencyStats(w *infoWriter, c *conn) {
	e := c.srv.engine
	e.stats.called(e.table, func(cmd *command.Command, s *commandStats) {
		if h := s.latency; h != nil {
			w.field("latency_percentiles_usec_"+cmd.FullName(), e.latencyPercentiles.of(h))
		}
	})
}

// infoCluster is where clients look whether to ask for slots.
func infoCluster(w *infoWriter, _ *conn) { w.field("cluster_enabled", 0) }

func infoKeyspace(w *infoWriter, c *conn) {
	ks := c.srv.engine.ks
	for i := range ks.NumDBs() {
		if db := ks.DB(i); db.Len() > 0 {
			w.field(fmt.Sprintf("db%d", i), fmt.Sprintf("keys=%d,expires=%d,avg_ttl=%d", db.Len(), db.Expires(), db.AvgTTL()))
		}
	}
}

func infoRedoubt(w *infoWriter, c *conn) {
	e, n := c.srv.engine, c.srv.node
	w.field("cluster", n.cfg.Cluster)
	w.field("shard", fmt.Sprintf("%04d", n.cfg.Shard))
	w.field("node_id", n.cfg.NodeID)
	w.field("availability_zone", n.cfg.AZ)
	w.field("role", e.role)
	if p := e.primary; p != nil {
		w.field("epoch", p.term.Epoch())
		w.field("lease_left_ms", p.term.LeaseLeft().Milliseconds())
		w.field("seq_executed", p.executed)
		w.field("seq_committed", p.appender.Committed())
		w.field("append_queue_bytes", p.appender.QueuedBytes())
		w.field("seq_sealed", p.sealedSeq())
		w.field("head_bytes", p.term.HeadBytes())
		w.field("head_limit_bytes", p.term.HeadLimit())
	} else {
		w.field("epoch", e.applied.Epoch)
		w.field("lease_left_ms", 0)
		w.field("seq_executed", e.applied.Seq)
		w.field("seq_committed", max(n.tail.Load(), e.applied.Seq))
		w.field("seq_sealed", n.sealed.Load())
	}
	w.field("applied_entries", e.stats.entriesApplied)
	w.field("terms_won", e.stats.failovers.Load())
	if at := n.snapshotTime.Load(); at != nil {
		w.field("snapshot_age_seconds", int64(time.Since(*at).Seconds()))
	} else {
		w.field("snapshot_age_seconds", -1)
	}
	if o, away := n.store.Outage(); away {
		w.field("object_storage", "away")
		w.field("object_storage_away_since", o.Since.UTC().Format(time.RFC3339))
		w.field("object_storage_error", strings.ReplaceAll(o.Reason(), "\n", " "))
	} else {
		w.field("object_storage", "ok")
	}
}

package node

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/command/commandtest"
)

// impersonal takes out of HELLO's reply what differs: version and client id.
func impersonal(reply []byte) []byte {
	reply = regexp.MustCompile(`\$\d\r\n7\.[0-9.]+\r\n`).ReplaceAll(reply, []byte("<version>"))
	return regexp.MustCompile(`(\$2\r\nid\r\n):\d+`).ReplaceAll(reply, []byte("$1:<id>"))
}

func TestRowsEqualRedis(t *testing.T) {
	redis := testenv.StartRedis(t)
	commandtest.CompareRows(t, redis.Addr, connectionRows())
	commandtest.CompareRows(t, redis.Addr, transactionRows())
	commandtest.CompareRows(t, redis.Addr, configRows())
	commandtest.CompareRows(t, redis.Addr, aclRows())
	commandtest.CompareRows(t, redis.Addr, infoRows())
	commandtest.CompareRows(t, redis.Addr, slices.DeleteFunc(replicationRows(), func(c *command.Command) bool {
		return c.Name == "waitaof" // of Redis 7.2
	}))
	commandtest.CompareRows(t, redis.Addr, debugRows())
	commandtest.CompareRows(t, redis.Addr, slowlogRows())
	commandtest.CompareRows(t, redis.Addr, moduleRows())
	commandtest.CompareSubcommands(t, redis.Addr, latencyRows()[0])
	commandtest.CompareSubcommands(t, redis.Addr, memoryRows()[0])
	commandtest.CompareSubcommands(t, redis.Addr, clientRows()[0], "setinfo", "no-touch")
}

// debugProtocolScript asks for a value of each type.
func debugProtocolScript(proto int) string {
	script := fmt.Sprintf("hello %d\n", proto)
	for _, name := range []string{"string", "integer", "double", "bignum", "null", "array", "set", "map", "attrib", "push", "verbatim", "true", "false"} {
		script += "debug protocol " + name + "\n"
	}
	return script
}

// TestConversationsEqualRedis holds whole conversations with a node and with a
// real redis-server and compares every reply byte by byte. A line is a request;
// "2>" in front sends it on a second connection.
func TestConversationsEqualRedis(t *testing.T) {
	redis := testenv.StartRedis(t, "--enable-debug-command", "local")
	n := startNode(t, nil)
	for name, script := range map[string]string{
		"errors": `
			nosuchcommand
			nosuchcommand a b
			lolwut version x
			lolwut version 6 1 a
			get
			get a b
			config nosuch
			client nosuch
			client`,
		"connection": `
			ping
			ping hello
			ping a b
			echo x
			select 3
			set k v
			select 0
			get k
			select 16
			select -1
			select x
			reset
			select 3
			get k
			del k
			quit extra`,
		"hello": `
			hello 4
			hello x
			hello 3 nosuch
			hello 2 setname
			hello 2 setname bad\nname
			hello 3 auth default wrong setname n
			client getname
			auth a b c
			auth x
			auth nosuch x
			auth default anything`,
		"resp3": `
			hello 2 setname one
			client getname
			hset h a 1 b 2
			config get maxclients
			client trackinginfo
			module list
			del h`,
		"modules": `
			module list
			module list x
			module load /x
			module loadex /x
			module load
			module unload x
			module unload x y
			module nosuch
			module help
			module`,
		"multi": `
			exec
			discard
			multi
			multi
			set a 1
			incr a
			get a
			watch a
			exec
			get a
			multi
			set a 2
			discard
			get a
			multi
			nosuch
			set a 3
			exec
			get a
			multi
			set a
			set a 3
			exec
			multi
			set a x
			incr a
			get a
			exec
			multi
			exec
			multi
			exec x
			exec
			multi
			discard x
			exec
			multi
			select 1
			set inone 1
			select 0
			get inone
			exec
			del a
			select 1
			del inone`,
		"out of memory": `
			set a 1
			config set maxmemory 1
			set b 2
			get a
			del a
			multi
			get a
			exec
			multi
			discard
			multi
			ping
			unwatch
			discard
			config set maxmemory 0
			set a 1
			multi
			set b 1
			2> config set maxmemory 1
			exec
			multi
			2> config set maxmemory 0
			get a
			2> config set maxmemory 1
			exec
			config set maxmemory 0
			flushall`,
		"watch": `
			set w 1
			watch w
			multi
			set w 2
			exec
			watch w
			2> set w 3
			multi
			set w 4
			exec
			get w
			watch w
			2> set w 5
			unwatch
			multi
			set w 6
			exec
			watch nokey
			2> set nokey 1
			multi
			get nokey
			exec
			watch w nokey
			2> flushall
			multi
			get w
			exec
			set e 1 px 1
			watch w
			2> select 1
			2> set w 1
			multi
			ping
			exec
			2> flushall
			watch w
			2> swapdb 0 1
			multi
			ping
			exec
			debug set-active-expire 0
			flushall
			set stale 1 pxat 1
			watch stale
			exists stale
			multi
			ping
			exec
			set stale 1 px 1
			debug sleep 0.003
			watch stale
			2> set stale 2
			multi
			ping
			exec
			del stale
			set stale 1 px 1
			debug sleep 0.003
			watch stale
			flushdb
			multi
			ping
			exec
			set stale 1 px 1
			debug sleep 0.003
			watch stale
			exists stale
			set stale 2
			multi
			ping
			exec
			flushall
			2> select 1
			2> set stale 1 px 1
			debug sleep 0.003
			watch stale
			swapdb 0 1
			multi
			ping
			exec
			watch stale
			swapdb 0 1
			multi
			ping
			exec
			flushall
			2> set stale 1 px 1
			set stale 1 px 1
			debug sleep 0.003
			watch stale
			swapdb 0 1
			multi
			ping
			exec
			debug set-active-expire 1
			flushall`,
		"client": `
			client setname good
			client getname
			client setname
			client kill 1.2.3.4:5
			client kill id 0
			client kill id x
			client kill type nosuch
			client kill type normal id 999999
			client kill skipme maybe
			client kill user nosuch
			client kill nosuch x
			client list type nosuch
			client list id x
			client list nosuch
			client list id 999999
			client getredir
			client getredir x
			client trackinginfo
			client trackinginfo x
			client no-evict on
			client no-evict x
			client reply x`,
		"config": `
			config set nosuch 1
			config set maxclients abc
			config set maxclients 0
			config set timeout 5 timeout 6
			config set timeout
			config set timeout 7 maxclients x
			config get timeout
			config set timeout 7
			config get timeout
			config set timeout 0
			config set hash-max-listpack-entries 2
			hset h a 1 b 2 c 3
			object encoding h
			config get hash-max-listpack-entries
			config set hash-max-listpack-entries 512
			del h
			config set set-max-intset-entries 2
			sadd s 1 2
			sadd s 3
			object encoding s
			config get set-max-intset-entries
			config set set-max-intset-entries 512
			del s
			config set list-max-listpack-size 2
			rpush l a b c
			config get list-max-listpack-size
			config set list-max-ziplist-size -3
			config get list-max-listpack-size
			config set list-max-listpack-size x
			config set list-max-listpack-size -2
			config set list-compress-depth -1
			config set list-compress-depth 1
			config get list-compress-depth
			config set list-compress-depth 0
			del l
			config set zset-max-ziplist-entries 1
			zadd z 1 a 2 b
			object encoding z
			config get zset-max-listpack-entries
			config set zset-max-listpack-entries 128 zset-max-listpack-value 3
			zadd z2 1 long
			object encoding z2
			config set zset-max-listpack-value 64
			del z z2
			config get hll-sparse-max-bytes
			config set hll-sparse-max-bytes x
			config set hll-sparse-max-bytes -1
			config set hll-sparse-max-bytes 20b
			config get hll-sparse-max-bytes
			pfadd p a
			pfdebug encoding p
			pfadd p b
			pfdebug encoding p
			multi
			pfcount p
			pfcount p
			exec
			strlen p
			get p
			del p
			config set hll-sparse-max-bytes 3000
			config set stream-node-max-entries 2
			config set stream-node-max-bytes 1kb
			config get stream-node-max-bytes
			config get stream-node-max-entries
			xadd s 1 a 1
			xadd s 2 a 1
			xadd s 3 a 1
			xinfo stream s
			config set stream-node-max-entries -1
			config set stream-node-max-entries 9223372036854775807
			config set stream-node-max-bytes -1
			config set stream-node-max-bytes lots
			config set stream-node-max-entries 100
			config set stream-node-max-bytes 4096
			del s
			config get replicaof
			config set replicaof x
			config set slaveof x
			config set cluster-enabled yes
			config get maxmemory-samples
			config set maxmemory-samples 0
			config set maxmemory-samples 7
			config set maxmemory-eviction-tenacity 101
			config set lfu-log-factor -1
			config set lfu-decay-time 3
			config get lfu-decay-time
			config get maxmemory-eviction*
			config set maxmemory-samples 5 lfu-decay-time 1 activedefrag no
			config set lazyfree-lazy-eviction yes lazyfree-lazy-expire yes lazyfree-lazy-user-del yes lazyfree-lazy-user-flush yes
			config set lazyfree-lazy-expire maybe
			config set protected-mode NO
			config get databases
			config set databases 3
			config get nosuch*
			config rewrite
			config get maxmemory
			config set maxmemory 1
			config get maxmemory
			config set maxmemory x
			config set maxmemory 10mb maxmemory 11mb
			config set daemonize yes
			config set maxmemory-policy noeviction
			config set maxmemory 10mb
			config get maxmemory
			config set maxmemory 0
			config resetstat
			config set proto-max-bulk-len 2mb
			config get proto-max-bulk-len
			config set proto-max-bulk-len 512mb
			config set proto-max-bulk-len 5x
			config set maxmemory-clients 5%
			config get maxmemory-clients
			config set maxmemory-clients 100mb
			config get maxmemory-clients
			config set maxmemory-clients 101%
			config set maxmemory-clients %
			config set maxmemory-clients -1
			config set maxmemory-clients 5.5%
			config set maxmemory-clients lots
			config get maxmemory-clients
			config set maxmemory-clients 0%
			config get maxmemory-clients`,
		"sorting sorted sets": `
			zadd z 1 3 2 1
			object encoding z
			sort z by nosort store l
			object encoding z
			copy z z2
			object encoding z2
			del z z2
			zadd z 1 3 2 1
			sort_ro z by nosort get #
			object encoding z
			del z
			zadd z 1 a
			sort z
			object encoding z
			sort z alpha nosuch
			zadd z2 1 a
			sort z2 nosuch
			object encoding z2
			del z z2 l`,
		"output limits": `
			config get client-output-buffer-limit
			config set client-output-buffer-limit "normal 1 2"
			config set client-output-buffer-limit "master 1 2 3"
			config set client-output-buffer-limit "nosuch 1 2 3"
			config set client-output-buffer-limit "normal 1x 2 3"
			config set client-output-buffer-limit "normal 1 2 -3"
			config set client-output-buffer-limit "normal 1 2 x"
			config set client-output-buffer-limit "slave 1 2 3  normal 1 2 3"
			config set client-output-buffer-limit ""
			config get client-output-buffer-limit
			config set client-output-buffer-limit "replica 1mb 2k 3"
			config get client-output-buffer-limit
			config set client-output-buffer-limit "pubsub 1gb 0 0 Slave 3 4 5 normal 2gb 1gb 10 slave 1kb 5 6"
			config get client-output-buffer-limit
			config set client-output-buffer-limit "normal 5 5 5 nosuch 1 2 3"
			config set client-output-buffer-limit "pubsub 7 7 7" timeout x
			config get client-output-buffer-limit
			config set client-output-buffer-limit "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"`,
		"proto-max-bulk-len": `
			config set proto-max-bulk-len 1mb
			setrange s 1048576 x
			setrange s 1048575 x
			setrange s 1048575 xy
			append s x
			strlen s
			setbit s 8388608 1
			setbit s 8388607 1
			getbit s 8388608
			bitfield s set u8 8388608 1
			bitfield s get u8 8388608
			bitfield s set u8 8388607 1
			strlen s
			lcs s s
			multi
			config set proto-max-bulk-len 2mb
			append s x
			setrange s 2097151 x
			setrange s 2097152 x
			exec
			config set proto-max-bulk-len 1mb
			copy s t
			rename t u
			append u x
			getrange u 1048575 -1
			del s u
			config set proto-max-bulk-len 512mb`,
		"streams": `
			hello 3
			xadd s 1-1 a 1 b 2
			xadd s 1-* a 1 b 2
			xgroup create s g 0
			xreadgroup group g c count 1 streams s >
			xread streams s s 0 1-1
			xrange s - +
			xinfo stream s
			xpending s g
			xautoclaim s g d 0 0
			watch s
			2> xdel s 1-1
			multi
			xlen s
			exec
			watch s
			2> xadd s 5 f v
			multi
			xread streams s 1-2
			exec
			hello 2
			xread streams s s 0 1-1
			del s`,
		"memory": `
			memory purge
			memory purge x
			memory nosuch
			memory
			memory usage nokey
			memory usage
			memory usage nokey samples
			memory usage nokey samples -1
			memory usage nokey samples x
			memory usage nokey nosuch 1
			memory stats x
			memory doctor x
			memory malloc-stats x
			memory usage nokey samples 5
			memory usage nokey samples 5 x`,

		"slow log": `
			config set slowlog-log-slower-than -1
			slowlog reset
			slowlog len
			slowlog get
			slowlog get 5
			slowlog get -1
			slowlog get -2
			slowlog get x
			slowlog get 1 2
			slowlog nosuch
			config set slowlog-log-slower-than -2
			config set slowlog-log-slower-than x
			config set slowlog-max-len -1
			config set slowlog-log-slower-than 0
			ping
			slowlog len
			slowlog reset
			multi
			ping
			exec
			config set slowlog-log-slower-than -1
			slowlog len
			slowlog reset
			config set slowlog-max-len 2
			config set slowlog-log-slower-than 0
			ping
			ping
			ping
			slowlog len
			config set slowlog-log-slower-than -1
			config set slowlog-max-len 128
			slowlog reset`,
		"latency": `
			latency latest
			latency history command
			latency history
			latency graph command
			latency graph
			latency graph a b
			latency reset
			latency reset command nosuch
			latency histogram nosuch
			latency nosuch
			config set latency-tracking maybe
			config set latency-tracking no
			config get latency-tracking
			config set latency-tracking yes
			config get latency-tracking-info-percentiles
			config set latency-tracking-info-percentiles 99.12345678
			config set latency-tracking-info-percentiles x
			config set latency-tracking-info-percentiles 100.1
			config set latency-tracking-info-percentiles -0.5
			config set latency-tracking-info-percentiles 0x10
			config get latency-tracking-info-percentiles
			config set latency-monitor-threshold -1
			config set latency-monitor-threshold 0
			config get latency-monitor-threshold`,

		"wait": `
			wait a b
			wait 0 -1
			wait 0 x`,
		"the last expiry": `
			set k v
			pexpireat k 9223372036854775807
			expiretime k
			pexpiretime k
			expireat k 9223372036854775 gt
			expiretime k
			del k`,
		"restore-asking": `
			restore-asking k 0 nonsense
			restore-asking k x nonsense
			restore-asking k`,
		"debug": `
			flushall
			debug digest
			set a 1
			select 5
			hset h f v
			debug digest
			debug digest-value h nokey
			debug sleep 0
			debug set-active-expire 1
			flushall
			select 0
			flushall
			debug nosuch
			debug digest x
			debug
			debug object nokey
			debug protocol nosuch
			debug log hello
			debug reload nosuch
			debug quicklist-packed-threshold 100b
			debug quicklist-packed-threshold x
			debug quicklist-packed-threshold 5gb
			debug quicklist-packed-threshold 0
			set key:1 mine
			debug populate 3
			mget key:0 key:1 key:2
			debug populate 2 k 10
			mget k:0 k:1
			debug populate 1 short 3
			get short:0
			debug populate x
			debug populate -1
			debug populate 1 k x
			dbsize
			debug reload
			dbsize
			debug digest
			multi
			debug populate 2 m
			get m:1
			exec
			flushall`,
		"debug protocol":   debugProtocolScript(2),
		"debug protocol 3": debugProtocolScript(3),
	} {
		t.Run(name, func(t *testing.T) {
			ours := [2]*commandtest.Client{commandtest.Dial(t, n.Addr()), commandtest.Dial(t, n.Addr())}
			theirs := [2]*commandtest.Client{commandtest.Dial(t, redis.Addr), commandtest.Dial(t, redis.Addr)}
			for line := range strings.Lines(script) {
				line = strings.TrimSpace(line)
				if line == "" {
					continue
				}
				request, second := strings.CutPrefix(line, "2>")
				i := 0
				if second {
					i = 1
				}
				args := words(request)
				got, want := ours[i].Do(args...), theirs[i].Do(args...)
				got, want = impersonal(got), impersonal(want)
				if string(got) != string(want) {
					t.Errorf("%s\n got  %q\n want %q", line, got, want)
				}
			}
		})
	}
}

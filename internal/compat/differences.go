package main

// differences are all known ones, by file. What an error explains by itself is in
// unbuilt.go.
var differences = []difference{
	// Whole files of what is not built.
	{file: "unit/pubsub", test: "*", needs: "subscribe"},
	{file: "unit/scripting", test: "*", needs: "eval"},
	{file: "unit/functions", test: "*", needs: "function"},
	{file: "unit/tracking", test: "*", needs: "client|tracking"},

	// Left waiting or paused for what is not built, these would stop those after them.
	{file: "unit/pause", test: "Test special commands are paused by RO", needs: "publish", skip: true},
	{file: "unit/pause", test: "Test scripts are blocked by pause RO", needs: "eval", skip: true},
	{file: "unit/pause", test: "Test RO scripts are not blocked by pause RO", needs: "eval", skip: true},
	{file: "unit/pause", test: "Test read-only scripts in mutli-exec are not blocked by pause RO", needs: "eval", skip: true},
	{file: "unit/pause", test: "Test write scripts in mutli-exec are blocked by pause RO", needs: "eval", skip: true},

	// No eviction, hence no access times.
	{file: "unit/introspection-2", test: "TTL, TYPE and EXISTS do not alter the last access time of a key", reason: noEviction},
	{file: "unit/dump", test: "RESTORE can set LRU", reason: noEviction},
	{file: "unit/dump", test: "RESTORE can set LFU", reason: noEviction},

	// Memory is Go's.
	{file: "unit/lazyfree", test: "UNLINK can reclaim memory in background", reason: noThread},
	{file: "unit/lazyfree", test: "FLUSHDB ASYNC can reclaim memory in background", reason: noThread},
	{file: "unit/lazyfree", test: "lazy free a stream with all types of metadata", reason: noThread},
	{file: "unit/lazyfree", test: "lazy free a stream with deleted cgroup", reason: noThread},
	{file: "unit/type/incr", test: "INCR uses shared objects in the 0-9999 range", reason: "no value is shared between keys, OBJECT REFCOUNT is always 1"},
	{file: "unit/type/string", test: "trim on SET with big value", reason: "asks how jemalloc rounds, and runs only where INFO names jemalloc"},
	{file: "unit/querybuf", test: "query buffer resized correctly", reason: "a connection begins with a buffer of 1 KiB where Redis takes 16"},
	{file: "unit/querybuf", test: "query buffer resized correctly when not idle", reason: "a large buffer is given back as soon as its command has run"},
	{file: "unit/replybufsize", test: "verify reply buffer limits", reason: "connections have no reply buffer of their own to resize: replies in the making use pooled memory"},

	{file: "unit/auth", test: "For unauthenticated clients output buffer is limited", skip: true, reason: "from a connection that takes no replies nothing more is read, so that they take no memory; Redis reads on and closes the connection, and the test waits for that"},
	{file: "unit/info", test: "errorstats: failed call within LUA", needs: "eval"},

	// Files and parameters that are not there.
	{file: "unit/introspection", test: "CONFIG GET hidden configs", reason: noFiles},
	{file: "unit/multi", test: "MULTI with SAVE", reason: noFiles},
	{file: "unit/multi", test: "MULTI with SHUTDOWN", reason: noShutdown},
	{file: "unit/dump", test: "MIGRATE cached connections are released after some time", reason: noMigrate},
	{file: "unit/introspection-2", test: "MIGRATE command is marked with movablekeys", reason: noMigrate},
	{file: "unit/bitops", test: "SETBIT/BITFIELD only increase dirty when the value changed", reason: "reads rdb_changes_since_last_save, which counts what a crash would lose: nothing here; that such a command logs nothing is in node/command's TestEffects"},

	// What COMMAND says of commands that are not built.
	{file: "unit/introspection-2", test: "COMMAND GETKEYS EVAL with keys", needs: "eval"},
	{file: "unit/introspection-2", test: "COMMAND GETKEYS EVAL without keys", needs: "eval"},
	{file: "unit/introspection-2", test: "COMMAND LIST FILTERBY ACLCAT - list all commands/subcommands", needs: "eval"},
	{file: "unit/introspection-2", test: "EVAL command is marked with movablekeys", needs: "eval"},
	{file: "unit/introspection-2", test: "COMMAND LIST FILTERBY PATTERN - list all commands/subcommands", needs: "cluster"},

	// What users may be allowed of commands that are not built. The ones about ACL LOG's
	// transactions go on as the user that a test before them makes, with EVAL.
	{file: "unit/acl", test: "It's possible to allow subscribing to a subset of channels", needs: "subscribe"},
	{file: "unit/acl", test: "It's possible to allow subscribing to a subset of shard channels", needs: "ssubscribe"},
	{file: "unit/acl", test: "It's possible to allow subscribing to a subset of channel patterns", needs: "psubscribe"},
	{file: "unit/acl", test: "Subscribers are killed when revoked of channel permission", needs: "subscribe"},
	{file: "unit/acl", test: "Subscribers are killed when revoked of pattern permission", needs: "psubscribe"},
	{file: "unit/acl", test: "Subscribers are killed when revoked of allchannels permission", needs: "psubscribe"},
	{file: "unit/acl", test: "Subscribers are pardoned if literal permissions are retained and/or gaining allchannels", needs: "subscribe"},
	{file: "unit/acl", test: "ACL CAT category - list all commands/subcommands that belong to category", needs: "function"},
	{file: "unit/acl", test: "ACL requires explicit permission for scripting for EVAL_RO, EVALSHA_RO and FCALL_RO", needs: "eval_ro"},
	{file: "unit/acl", test: "ACL LOG shows failed command executions at toplevel", needs: "eval"},
	{file: "unit/acl", test: "ACL LOG is able to log channel access violations and channel name", needs: "publish"},
	{file: "unit/acl", test: "ACL LOG can distinguish the transaction context (1)", needs: "eval"},
	{file: "unit/acl", test: "ACL LOG can distinguish the transaction context (2)", needs: "eval"},
	{file: "unit/acl", test: "ACL can log errors in the context of Lua scripting", needs: "eval"},
	{file: "unit/acl-v2", test: "Test various odd commands for key permissions", reason: "asks about MIGRATE and EVAL: " + noMigrate},
	{file: "unit/acl-v2", test: "Test sharded channel permissions", needs: "spublish"},

	// What Redis 7.2 answers, and 7.0 otherwise.
	{file: "unit/acl", test: "ACLs set can include subcommands, if already full command exists", reason: "since 7.2 a user is described by the rules it was given; this one is about a command that is allowed already"},
	{file: "unit/type/stream-cgroups", test: "Blocking XREADGROUP: key deleted", reason: laterXReadGroup},
	{file: "unit/type/stream-cgroups", test: "Blocking XREADGROUP: key type changed with SET", reason: laterXReadGroup},
	{file: "unit/type/stream-cgroups", test: "Blocking XREADGROUP: key type changed with transaction", reason: laterXReadGroup},
	{file: "unit/type/stream-cgroups", test: "Blocking XREADGROUP: flushed DB", reason: laterXReadGroup},

	// Two connections send at the same time, and whose command is executed first is chance here.
	{file: "unit/type/stream-cgroups", test: "Blocking XREAD: key type changed with SET", reason: twoAtOnce},
	{file: "unit/type/stream-cgroups", test: "Blocking XREAD: key deleted", reason: twoAtOnce},
	{file: "unit/type/list", test: "BRPOPLPUSH does not affect WATCH while still blocked", reason: twoAtOnce},
	{file: "unit/type/list", test: "BRPOPLPUSH with multiple blocked clients", reason: twoAtOnce},
}

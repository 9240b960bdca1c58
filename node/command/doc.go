// Package command is the command table and the commands on data.
//
// # The table
//
// A Command is a row: name, arity, flags, key positions, ACL categories, tips
// and the handler beside them. A Table finds the row of a request and checks
// its arity; COMMAND is rendered from it. Package node adds the rows of its own
// commands (connections, transactions, CONFIG, INFO), which use the same frame:
//
//	table = command.NewTable(command.Data(), command.Introspection(...), nodeRows)
//	cmd, err := table.Lookup(args)        // err is the reply
//	keys, err := cmd.AppendKeys(keys[:0], args)
//	cmd.Handler(&ctx)
//
// Nothing outside of this table repeats what a row says.
//
// # Execution
//
// A handler runs alone, with everything it may use in a Ctx, and answers
// exactly one reply into Ctx.Out. The arguments alias the connection's buffer
// and are valid during the call; package keyspace copies what it keeps.
//
// # Effects
//
// What a command changes it records in Ctx.Unit as effects: commands of this
// same table with an outcome that does not depend on time, chance or anything
// but the data. Applying the effects with a Replayer gives the same data as
// executing the command did. A command that changed nothing records nothing;
// what counts as a change is Redis's idea of it, by which SET of the same value is
// one. The rules:
//
//   - times are absolute: SET k v EX 10 becomes SET k v PXAT <ms>, EXPIRE
//     becomes PEXPIREAT, or DEL when the time has passed;
//   - what is left to chance or computed in floating point is recorded by its
//     result: INCRBYFLOAT becomes SET k <result> KEEPTTL, HINCRBYFLOAT HSET;
//   - what hangs on a setting is recorded by its result: a HyperLogLog that becomes
//     too long for hll-sparse-max-bytes as SET k <result> KEEPTTL;
//   - conditions that were met (NX, XX, GT) and options that only shape the reply
//     (GET) are left out;
//   - keys go by DEL, whether by DEL, UNLINK, GETDEL or expiry.
//
// A key past its time is deleted by the primary when a command meets it, with
// the effect DEL before the command's own; see Mode for the others. Handlers
// look keys up through Ctx.Read and Ctx.Write, which take care of it, and before they
// record an effect that relies on what a key held before.
//
// # Changes
//
// A handler reports every key it changed through Ctx.Changed, under the name of
// Redis's keyspace notification. WATCH, the reply gate, blocked clients,
// client-side caching and notifications all hang on this one call.
package command

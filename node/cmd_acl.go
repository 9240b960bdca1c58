package node

import (
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/redoubtdb/redoubt/node/acl"
	"github.com/redoubtdb/redoubt/node/command"
)

func aclRows() []*command.Command {
	row := func(name, since string, arity int, flags command.Flags, h func(*command.Ctx)) *command.Command {
		return &command.Command{Name: name, Since: since, Arity: arity, Flags: flags, Handler: h}
	}
	return []*command.Command{{
		Name: "acl", Group: "server", Since: "6.0.0", Arity: -2,
		Sub: []*command.Command{
			row("cat", "6.0.0", -2, anywhere, aclCat),
			row("deluser", "6.0.0", -3, adminAny, aclDelUser),
			row("dryrun", "7.0.0", -4, adminAny, aclDryRun),
			row("genpass", "6.0.0", -2, anywhere, aclGenPass),
			row("getuser", "6.0.0", 3, adminAny, aclGetUser),
			row("list", "6.0.0", 2, adminAny, aclList),
			row("load", "6.0.0", 2, adminAny, aclLoad),
			row("log", "6.0.0", -2, adminAny, aclLog),
			row("save", "6.0.0", 2, adminAny, aclSave),
			row("setuser", "6.0.0", -3, adminAny, aclSetUser),
			row("users", "6.0.0", 2, adminAny, aclUsers),
			row("whoami", "6.0.0", 2, anywhere, func(x *command.Ctx) { x.Out.BulkString(client(x).user().Name()) }),
			row("help", "6.0.0", 2, command.Loading|command.Stale, func(x *command.Ctx) { x.Help(aclHelp...) }),
		},
	}}
}

var aclHelp = []string{
	"CAT [<category>]",
	"    List all commands that belong to <category>, or all command categories",
	"    when no category is specified.",
	"DELUSER <username> [<username> ...]",
	"    Delete a list of users.",
	"DRYRUN <username> <command> [<arg> ...]",
	"    Returns whether the user can execute the given command without executing the command.",
	"GETUSER <username>",
	"    Get the user's details.",
	"GENPASS [<bits>]",
	"    Generate a secure 256-bit user password. The optional `bits` argument can",
	"    be used to specify a different size.",
	"LIST",
	"    Show users details in config file format.",
	"LOAD",
	"    Reload users from the ACL file.",
	"LOG [<count> | RESET]",
	"    Show the ACL log entries.",
	"SAVE",
	"    Save the current config to the ACL file.",
	"SETUSER <username> <attribute> [<attribute> ...]",
	"    Create or modify a user with the specified attributes.",
	"USERS",
	"    List all the registered usernames.",
	"WHOAMI",
	"    Return the current connection username.",
}

const errNoACLFile command.Error = "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration."

func usersOf(x *command.Ctx) *users { return client(x).srv.engine.users }

// mayChangeUsers answers an error when the users are not the node's own.
func mayChangeUsers(x *command.Ctx) bool {
	if usersOf(x).managed {
		x.Error(errManagedUsers)
		return false
	}
	return true
}

// hasUsersFile answers an error when the users are not in a file.
func hasUsersFile(x *command.Ctx) bool {
	if !mayChangeUsers(x) {
		return false
	}
	if usersOf(x).file == "" {
		x.Error(errNoACLFile)
		return false
	}
	return true
}

func aclSetUser(x *command.Ctx) {
	us, name := usersOf(x), string(x.Args[2])
	if !mayChangeUsers(x) {
		return
	}
	if !acl.ValidName(name) {
		x.Out.Error("ERR Usernames can't contain spaces or null characters")
		return
	}
	u := us.get(name)
	if u == nil {
		u = us.grammar.New(name)
	}
	rules := make([]string, 0, len(x.Args)-3)
	for _, r := range x.Args[3:] {
		rules = append(rules, string(r))
	}
	changed, err := us.grammar.Apply(u, rules...)
	if err != nil {
		x.Out.Error("ERR " + err.Error())
		return
	}
	us.put(changed)
	x.Out.OK()
}

func aclDelUser(x *command.Ctx) {
	if !mayChangeUsers(x) {
		return
	}
	for _, name := range x.Args[2:] {
		if string(name) == acl.Default {
			x.Out.Error("ERR The 'default' user cannot be removed")
			return
		}
	}
	c, removed := client(x), int64(0)
	for _, name := range x.Args[2:] {
		if c.srv.removeUser(string(name), c) {
			removed++
		}
	}
	x.Out.Int(removed)
}

func aclGetUser(x *command.Ctx) {
	u := usersOf(x).get(string(x.Args[2]))
	if u == nil {
		x.Out.Null()
		return
	}
	w := x.Out
	w.Map(6)
	w.BulkString("flags")
	flags := u.Flags()
	w.Set(len(flags))
	for _, f := range flags {
		w.BulkString(f)
	}
	w.BulkString("passwords")
	writeStrings(x, u.Passwords())
	describe := func(d acl.Description) {
		for _, field := range [][2]string{{"commands", d.Commands}, {"keys", d.Keys}, {"channels", d.Channels}} {
			w.BulkString(field[0])
			w.BulkString(field[1])
		}
	}
	describe(u.Root())
	w.BulkString("selectors")
	selectors := u.Selectors()
	w.Array(len(selectors))
	for _, s := range selectors {
		w.Map(3)
		describe(s)
	}
}

func writeStrings(x *command.Ctx, all []string) {
	x.Out.Array(len(all))
	for _, s := range all {
		x.Out.BulkString(s)
	}
}

func aclList(x *command.Ctx) {
	us := usersOf(x)
	names := us.names()
	for i, name := range names {
		names[i] = "user " + name + " " + us.get(name).Describe()
	}
	writeStrings(x, names)
}

func aclUsers(x *command.Ctx) { writeStrings(x, usersOf(x).names()) }

func aclLoad(x *command.Ctx) {
	c, us := client(x), usersOf(x)
	if !hasUsersFile(x) {
		return
	}
	all, err := us.readFile()
	if err != nil {
		x.Out.Error("ERR " + err.Error())
		return
	}
	c.srv.replaceUsers(all, c)
	x.Out.OK()
}

func aclSave(x *command.Ctx) {
	us := usersOf(x)
	if !hasUsersFile(x) {
		return
	}
	if err := us.save(); err != nil {
		us.logger.Warn("ACL SAVE", "err", err)
		x.Out.Error("ERR There was an error trying to save the ACLs. Please check the server logs for more information")
		return
	}
	x.Out.OK()
}

func aclCat(x *command.Ctx) {
	switch len(x.Args) {
	case 2:
		writeStrings(x, command.CatNames())
		return
	case 3:
	default:
		unknownACL(x)
		return
	}
	cat, ok := command.CatByName(x.Args[2])
	if !ok {
		x.Out.Error("ERR Unknown category '" + string(x.Args[2][:min(len(x.Args[2]), 128)]) + "'")
		return
	}
	var names []string
	for _, c := range usersOf(x).grammar.Table.All() {
		for _, c := range append([]*command.Command{c}, c.Sub...) {
			if c.Categories&cat != 0 {
				names = append(names, c.FullName())
			}
		}
	}
	writeStrings(x, names)
}

// unknownACL answers what Redis answers to a subcommand with too many arguments.
func unknownACL(x *command.Ctx) {
	x.Out.Error("ERR unknown subcommand or wrong number of arguments for '" + string(x.Args[1]) + "'. Try ACL HELP.")
}

// maxPassBits is the longest password that ACL GENPASS makes.
const maxPassBits = 4096

func aclGenPass(x *command.Ctx) {
	bits := int64(256)
	switch len(x.Args) {
	case 2:
	case 3:
		var ok bool
		if bits, ok = x.Int(2); !ok {
			return
		}
	default:
		unknownACL(x)
		return
	}
	if bits <= 0 || bits > maxPassBits {
		x.Out.Error("ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096")
		return
	}
	digits := (bits + 3) / 4
	random := make([]byte, (digits+1)/2)
	rand.Read(random)
	x.Out.BulkString(hex.EncodeToString(random)[:digits])
}

func aclLog(x *command.Ctx) {
	log, count := &usersOf(x).log, int64(10)
	switch {
	case len(x.Args) > 3:
		unknownACL(x)
		return
	case len(x.Args) == 3 && command.EqualFold(x.Args[2], "RESET"):
		log.Reset()
		x.Out.OK()
		return
	case len(x.Args) == 3:
		var ok bool
		if count, ok = x.Int(2); !ok {
			return
		}
	}
	entries, w := log.Newest(count), x.Out
	now := time.Now().UnixMilli()
	w.Array(len(entries))
	for _, e := range entries {
		w.Map(10)
		text := func(name, value string) { w.BulkString(name); w.BulkString(value) }
		number := func(name string, value int64) { w.BulkString(name); w.Int(value) }
		number("count", e.Count)
		text("reason", e.Reason.String())
		text("context", e.Context.String())
		text("object", e.Object)
		text("username", e.User)
		w.BulkString("age-seconds")
		w.Double(float64(now-e.Updated) / 1000)
		text("client-info", e.Client)
		number("entry-id", e.ID)
		number("timestamp-created", e.Created)
		number("timestamp-last-updated", e.Updated)
	}
}

func aclDryRun(x *command.Ctx) {
	us, name := usersOf(x), string(x.Args[2])
	u := us.get(name)
	if u == nil {
		x.Out.Error("ERR User '" + name + "' not found")
		return
	}
	args := x.Args[3:]
	cmd, err := us.grammar.Table.Lookup(args)
	switch {
	case cmd == nil:
		x.Out.Error("ERR Command '" + string(args[0]) + "' not found")
		return
	case err != nil:
		x.Out.Error(err.Error())
		return
	}
	us.request.Set(cmd, args)
	if v := u.Check(&us.request); v.Reason != acl.Allowed {
		x.Out.BulkString(denial(v, u, cmd, args))
		return
	}
	x.Out.OK()
}

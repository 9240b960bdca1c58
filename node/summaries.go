package node

import "github.com/redoubtdb/redoubt/node/command"

// summaries are what COMMAND DOCS says of the commands of connections and the server, by
// full name.
var summaries = map[string]string{
	"acl":                 "Commands about users and what they may do",
	"acl|cat":             "Lists the categories, or the commands of one",
	"acl|deluser":         "Removes users and ends their connections",
	"acl|dryrun":          "Tells whether a user may run a command, without running it",
	"acl|genpass":         "Makes up a password",
	"acl|getuser":         "Describes a user",
	"acl|help":            "Explains the subcommands",
	"acl|list":            "Lists all users as rules that make them",
	"acl|load":            "Reads the users anew from the ACL file",
	"acl|log":             "Lists what was denied of late, or forgets it",
	"acl|save":            "Writes the users to the ACL file",
	"acl|setuser":         "Makes a user, or changes one",
	"acl|users":           "Lists the names of all users",
	"acl|whoami":          "Returns the name of the user that the connection is logged in as",
	"auth":                "Logs the connection in",
	"client":              "Commands about connections",
	"client|getname":      "Returns the name of the connection",
	"client|getredir":     "Returns where invalidations of tracked keys go",
	"client|help":         "Explains the subcommands",
	"client|id":           "Returns the number of the connection",
	"client|info":         "Describes the connection",
	"client|kill":         "Ends connections",
	"client|list":         "Describes all connections",
	"client|no-evict":     "Exempts the connection from eviction of clients",
	"client|no-touch":     "Accepted: commands leave no trace of when a key was used",
	"client|pause":        "Holds back commands of all connections for a time",
	"client|reply":        "Turns the connection's replies off and on",
	"client|setinfo":      "Names the client library and its version",
	"client|setname":      "Names the connection",
	"client|trackinginfo": "Tells what the connection tracks",
	"client|unblock":      "Ends the wait of a blocked connection",
	"client|unpause":      "Ends CLIENT PAUSE",
	"config":              "Commands about parameters of the server",
	"config|get":          "Returns the values of parameters",
	"config|help":         "Explains the subcommands",
	"config|resetstat":    "Sets the counters of INFO to zero",
	"config|rewrite":      "Fails: a node has no configuration file that it could write",
	"config|set":          "Sets parameters, all or none",
	"debug":               "Commands for those who test and debug the server",
	"discard":             "Drops the queued commands of a transaction",
	"echo":                "Returns its argument",
	"exec":                "Executes the queued commands of a transaction",
	"hello":               "Chooses the protocol, logs in and names the connection",
	"info":                "Returns information and counters about the server",
	"latency":             "Commands about what took long",
	"latency|doctor":      "Tells in words what took long",
	"latency|graph":       "Draws the latencies of an event",
	"latency|help":        "Explains the subcommands",
	"latency|histogram":   "Returns how long commands took as cumulative histograms",
	"latency|history":     "Returns the latencies of an event with their times",
	"latency|latest":      "Returns the latest latency of each event",
	"latency|reset":       "Forgets events",
	"lolwut":              "Returns the version of the server",
	"memory":              "Commands about memory",
	"memory|doctor":       "Tells in words what is to be said about memory",
	"memory|help":         "Explains the subcommands",
	"memory|malloc-stats": "Returns what Go's runtime tells of its memory",
	"memory|purge":        "Collects garbage and gives memory back to the system",
	"memory|stats":        "Returns what memory is used for",
	"memory|usage":        "Returns the bytes that a key and its value take",
	"module":              "Commands about modules, of which there are none",
	"module|help":         "Explains the subcommands",
	"module|list":         "Returns the loaded modules: none",
	"module|load":         "Fails: no modules can be loaded",
	"module|loadex":       "Fails: no modules can be loaded",
	"module|unload":       "Fails: no modules can be loaded",
	"monitor":             "Shows the connection every command that is executed",
	"multi":               "Begins a transaction",
	"ping":                "Returns PONG, or its argument",
	"quit":                "Ends the connection",
	"readonly":            "Allows reads on a replica for the connection",
	"readwrite":           "Takes READONLY back",
	"reset":               "Makes the connection as it was at its beginning",
	"role":                "Tells whether the node is primary or replica",
	"select":              "Changes the database of the connection",
	"slowlog":             "Commands about the log of slow commands",
	"slowlog|get":         "Returns the newest slow commands",
	"slowlog|help":        "Explains the subcommands",
	"slowlog|len":         "Returns the number of slow commands that are kept",
	"slowlog|reset":       "Forgets the slow commands",
	"time":                "Returns the server's time",
	"unwatch":             "Forgets the watched keys",
	"wait":                "Waits until the writes before it are committed",
	"waitaof":             "Waits until the writes before it are committed",
	"watch":               "Makes the next EXEC depend on keys not having changed",
}

// summarized gives the rows of all groups their summaries, and returns the groups.
func summarized(groups ...[]*command.Command) [][]*command.Command {
	for _, rows := range groups {
		summarize(rows, "")
	}
	return groups
}

func summarize(rows []*command.Command, container string) {
	for _, row := range rows {
		if row.Summary == "" {
			row.Summary = summaries[container+row.Name]
		}
		summarize(row.Sub, row.Name+"|")
	}
}

package fleet

// Keys in etcd; see package control.
const (
	root           = "/redoubt-control/"
	hostsPrefix    = root + "hosts/"
	drainingPrefix = root + "draining/"
	assignedPrefix = root + "assigned/"
	statusPrefix   = root + "status/"
)

func hostKey(host string) string           { return hostsPrefix + host }
func drainingKey(host string) string       { return drainingPrefix + host }
func assignedTo(host string) string        { return assignedPrefix + host + "/" }
func assignedKey(host, node string) string { return assignedTo(host) + node }
func statusOf(host string) string          { return statusPrefix + host + "/" }
func statusKey(host, node string) string   { return statusOf(host) + node }

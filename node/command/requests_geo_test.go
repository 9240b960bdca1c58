package command_test

import "fmt"

// gkey is a key with positions, no two of which are the same, or rarely a string. (Of
// members that are equally near, Redis's COUNT takes any.)
func (g *generator) gkey() string { return g.pick("g1", "g1", "g1", "g2", "g2", "g2", "g3") }

// pkey is a key of any sorted set, whose scores are positions as well.
func (g *generator) pkey() string {
	if g.chance(20) {
		return g.zkey()
	}
	return g.gkey()
}

// distances is a key for the results of STOREDIST, which may differ in their last
// digits: it is used for nothing else.
const distances = "distances"

func (g *generator) place() string {
	if g.chance(20) {
		return g.zmember()
	}
	return fmt.Sprint("p", g.IntN(60))
}

// lonLat is a position, most likely in Sicily, or none.
func (g *generator) lonLat() []string {
	switch {
	case g.chance(6):
		return args(g.pick("180", "-180", "0", "179.9999999", "-0.0000001", "0x10"), g.pick("85.05112878", "-85.05112878", "0", "85.05112877", "-85"))
	case g.chance(4):
		return args(fmt.Sprintf("%.7f", 180-1e-3*g.Float64()), fmt.Sprintf("%.7f", 85.05-1e-3*g.Float64()))
	}
	return g.newLonLat()
}

// newLonLat is a position that there was not before, or none.
func (g *generator) newLonLat() []string {
	switch {
	case g.chance(4):
		return args(g.pick("181", "-180.1", "inf", "-inf", "nan", "abc", "", "1e300"), g.pick("1", "85.06", "-90", "abc"))
	case g.chance(5):
		return args(fmt.Sprintf("%.7f", 180-1e-3*g.Float64()), fmt.Sprintf("%.7f", -85.05112878+1e-3*g.Float64()))
	case g.chance(25):
		return args(fmt.Sprintf("%.7f", g.Float64()*360-180), fmt.Sprintf("%.7f", g.Float64()*170-85))
	}
	return args(fmt.Sprintf("%.7f", 12+3*g.Float64()), fmt.Sprintf("%.7f", 36.5+2*g.Float64()))
}

func (g *generator) unit() string {
	if g.chance(3) {
		return g.pick("", "parsec", "k", "mm")
	}
	return g.anyCase(g.pick("m", "km", "km", "ft", "mi"))
}

func (g *generator) length() []string {
	if g.chance(5) {
		return args(g.pick("-1", "abc", "", "nan", "inf", "0", "1e-3"), g.unit())
	}
	unit := g.unit()
	if g.chance(60) {
		return args(fmt.Sprintf("%.3f", g.Float64()*400), "km")
	}
	return args(g.pick("1", "50", "1000", "100000.5", "20000000", "5000", "1e9"), unit)
}

// geoOptions are what the whole GEOSEARCH family has.
func (g *generator) geoOptions(with bool) []string {
	var a []string
	for g.chance(60) {
		switch g.IntN(6) {
		case 0, 1, 2:
			if with || g.chance(10) {
				a = append(a, g.anyCase(g.pick("WITHCOORD", "WITHDIST", "WITHHASH")))
			}
		case 3:
			a = append(a, g.anyCase(g.pick("ASC", "DESC")))
		default:
			a = append(a, g.anyCase("COUNT"), g.pick("1", "2", "3", "10", "0", "-1", g.integer()))
			if g.chance(50) {
				a = append(a, g.anyCase("ANY"))
			}
		}
	}
	if g.chance(3) {
		a = append(a, g.pick("ANY", "COUNT", "STORE", "NOPE", "FROMMEMBER", "BYBOX"))
	}
	return a
}

func (g *generator) searchOptions() []string {
	var a []string
	if g.chance(50) {
		a = append(a, g.anyCase("FROMMEMBER"), g.place())
	} else {
		a = append(a, g.anyCase("FROMLONLAT"))
		a = append(a, g.lonLat()...)
	}
	if g.chance(50) {
		a = append(a, g.anyCase("BYRADIUS"))
	} else {
		a = append(a, g.anyCase("BYBOX"), g.length()[0])
	}
	a = append(a, g.length()...)
	if g.chance(3) {
		a = append(a, g.pick("FROMMEMBER", "FROMLONLAT", "BYRADIUS"), "1", "1", "km")
	}
	return a
}

func (g *generator) storeOption() []string {
	if g.chance(70) {
		return args(g.anyCase("STORE"), g.gkey())
	}
	return args(g.anyCase("STOREDIST"), distances)
}

var geoRequests = []request{
	{"geoadd", 10, func(g *generator) []string { return with(args(g.gkey()), g.places()) }},
	{"geoadd", 10, func(g *generator) []string {
		a := args(g.gkey())
		for g.chance(50) {
			a = append(a, g.anyCase(g.pick("NX", "XX", "CH", "CH", "GT")))
		}
		return with(a, g.places())
	}},
	{"geopos", 10, func(g *generator) []string { return args(g.pkey(), g.place(), g.place(), g.place()) }},
	{"geohash", 10, func(g *generator) []string { return args(g.pkey(), g.place(), g.place(), g.place()) }},
	{"geodist", 10, func(g *generator) []string { return args(g.pkey(), g.place(), g.place()) }},
	{"geodist", 10, func(g *generator) []string { return args(g.pkey(), g.place(), g.place(), g.unit()) }},
	{"geosearch", 10, func(g *generator) []string { return with(with(args(g.gkey()), g.searchOptions()), g.geoOptions(true)) }},
	{"geosearch", 10, func(g *generator) []string { return with(with(args(g.gkey()), g.searchOptions()), g.geoOptions(true)) }},
	{"geosearch", 5, func(g *generator) []string {
		return with(with(args(g.pkey()), g.searchOptions()), args("WITHDIST", "WITHCOORD", "WITHHASH"))
	}},
	{"georadius", 5, func(g *generator) []string {
		return with(with(args(g.pkey()), with(g.lonLat(), g.length())), args("STORE", g.zkey()))
	}},
	{"geoadd", 5, func(g *generator) []string { return with(args(g.zkey()), append(g.lonLat(), g.place())) }},
	{"set", 1, func(g *generator) []string { return args("g3", "v") }},
	{"del", 1, func(g *generator) []string { return args(g.gkey()) }},
	{"geosearchstore", 10, func(g *generator) []string {
		return with(with(args(g.gkey(), g.gkey()), g.searchOptions()), g.geoOptions(false))
	}},
	{"geosearchstore", 5, func(g *generator) []string {
		return with(with(args(distances, g.gkey()), g.searchOptions()), with(g.geoOptions(false), args("STOREDIST")))
	}},
	{"georadius", 10, func(g *generator) []string { return with(g.around(), g.geoOptions(true)) }},
	{"georadius", 5, func(g *generator) []string { return with(with(g.around(), g.geoOptions(false)), g.storeOption()) }},
	{"georadius_ro", 10, func(g *generator) []string { return with(g.around(), g.geoOptions(true)) }},
	{"georadiusbymember", 10, func(g *generator) []string {
		return with(with(args(g.gkey(), g.place()), g.length()), g.geoOptions(true))
	}},
	{"georadiusbymember", 5, func(g *generator) []string {
		return with(with(with(args(g.gkey(), g.place()), g.length()), g.geoOptions(false)), g.storeOption())
	}},
	{"georadiusbymember_ro", 10, func(g *generator) []string {
		return with(with(args(g.gkey(), g.place()), g.length()), g.geoOptions(true))
	}},
	{"zrange", 10, func(g *generator) []string { return args(distances, "0", "-1", "WITHSCORES") }},
}

func (g *generator) around() []string { return with(with(args(g.gkey()), g.lonLat()), g.length()) }

func (g *generator) places() []string {
	var a []string
	for range 1 + g.IntN(5) {
		a = append(with(a, g.newLonLat()), g.place())
	}
	if g.chance(2) {
		a = append(a, "1")
	}
	return a
}

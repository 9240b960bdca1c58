package agent

import (
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
)

func run(generation int64, engine string) *fleet.Assignment {
	return &fleet.Assignment{Node: "n", Cluster: "c", Goal: fleet.Run, Generation: generation, Engine: engine}
}

func stopped() *fleet.Assignment {
	a := run(9, "v1")
	a.Goal = fleet.Stop
	return a
}

// with is an assignment with a certificate.
func with(cert string) *fleet.Assignment {
	a := run(1, "v1")
	a.TLS = &fleet.TLS{Certificate: cert}
	return a
}

func TestDecide(t *testing.T) {
	now := time.Unix(1000, 0)
	const grace = 10 * time.Second
	at := func(s int) time.Time { return now.Add(time.Duration(s) * time.Second) }
	for name, c := range map[string]struct {
		facts facts
		want  verb
		wake  time.Time
	}{
		"new":                                   {facts{known: true, assigned: run(1, "v1")}, start, time.Time{}},
		"new, to wait":                          {facts{known: true, assigned: run(1, "v1"), retryAt: at(3)}, nothing, at(3)},
		"waited":                                {facts{known: true, assigned: run(1, "v1"), retryAt: now}, start, time.Time{}},
		"runs as it is to":                      {facts{known: true, assigned: run(2, "v1"), launched: run(1, "v1")}, nothing, time.Time{}},
		"runs, wants another engine":            {facts{known: true, assigned: run(2, "v2"), launched: run(1, "v1")}, terminate, time.Time{}},
		"runs, asked to stop in time":           {facts{known: true, assigned: run(2, "v2"), launched: run(1, "v1"), stopping: at(-3)}, nothing, at(7)},
		"runs, did not stop in time":            {facts{known: true, assigned: run(2, "v2"), launched: run(1, "v1"), stopping: at(-10)}, kill, time.Time{}},
		"runs, killed":                          {facts{known: true, assigned: run(2, "v2"), launched: run(1, "v1"), stopping: at(-10), killed: true}, nothing, time.Time{}},
		"asked to stop, wanted again meanwhile": {facts{known: true, assigned: run(2, "v1"), launched: run(1, "v1"), stopping: at(-3)}, nothing, at(7)},
		"another certificate":                   {facts{known: true, assigned: with("two"), launched: with("one")}, renew, time.Time{}},
		"the same certificate":                  {facts{known: true, assigned: with("one"), launched: with("one")}, nothing, time.Time{}},
		"another certificate, to wait":          {facts{known: true, assigned: with("two"), launched: with("one"), retryAt: at(2)}, nothing, at(2)},
		"another certificate, asked to stop":    {facts{known: true, assigned: with("two"), launched: with("one"), stopping: at(-3)}, nothing, at(7)},
		"unwanted":                              {facts{launched: run(1, "v1"), unwanted: true}, kill, time.Time{}},
		"unwanted, killed":                      {facts{launched: run(1, "v1"), unwanted: true, killed: true}, nothing, time.Time{}},
		"is to stop":                            {facts{known: true, assigned: stopped(), launched: run(1, "v1")}, terminate, time.Time{}},
		"assignment has gone":                   {facts{known: true, launched: run(1, "v1")}, terminate, time.Time{}},
		"assignments are not known":             {facts{launched: run(1, "v1")}, nothing, time.Time{}},
		"ended":                                 {facts{known: true, assigned: run(1, "v1"), unsettled: true, folder: true}, settle, time.Time{}},
		"ended, nothing known":                  {facts{unsettled: true, folder: true}, settle, time.Time{}},
		"ended, to stop":                        {facts{known: true, assigned: stopped(), unsettled: true, folder: true}, settle, time.Time{}},
		"ended, being settled":                  {facts{known: true, assigned: run(1, "v1"), unsettled: true, settling: true, folder: true}, nothing, time.Time{}},
		"settled":                               {facts{known: true, assigned: run(1, "v1"), folder: true}, start, time.Time{}},
		"settled, to stop":                      {facts{known: true, assigned: stopped(), folder: true}, remove, time.Time{}},
		"settled, gone":                         {facts{known: true, folder: true}, remove, time.Time{}},
		"settled, gone, could not be removed":   {facts{known: true, folder: true, retryAt: at(1)}, nothing, at(1)},
		"settled, nothing known":                {facts{folder: true}, nothing, time.Time{}},
		"removed, to stop":                      {facts{known: true, assigned: stopped()}, nothing, time.Time{}},
		"removed, gone":                         {facts{known: true}, forget, time.Time{}},
		"leaving, runs":                         {facts{known: true, leaving: true, assigned: run(1, "v1"), launched: run(1, "v1")}, terminate, time.Time{}},
		"leaving, nothing known":                {facts{leaving: true, launched: run(1, "v1")}, terminate, time.Time{}},
		"leaving, ended":                        {facts{known: true, leaving: true, assigned: run(1, "v1"), unsettled: true}, settle, time.Time{}},
		"leaving, settled":                      {facts{known: true, leaving: true, assigned: run(1, "v1"), folder: true}, nothing, time.Time{}},
		"leaving, to stop, settled":             {facts{known: true, leaving: true, assigned: stopped(), folder: true}, nothing, time.Time{}},
	} {
		got, wake := decide(c.facts, now, grace)
		if got != c.want || !wake.Equal(c.wake) {
			t.Errorf("%s: %q at %v, want %q at %v", name, got, wake, c.want, c.wake)
		}
	}
}

func TestNeedsRestart(t *testing.T) {
	base := fleet.Assignment{Node: "n", Cluster: "c", Engine: "v1", Port: 1, Memory: 1, Parameters: map[string]string{"a": "1"}, TLS: &fleet.TLS{Key: "k"}}
	for name, c := range map[string]struct {
		change func(*fleet.Assignment)
		want   bool
	}{
		"nothing":            {func(*fleet.Assignment) {}, false},
		"generation":         {func(a *fleet.Assignment) { a.Generation = 7 }, false},
		"equal parameters":   {func(a *fleet.Assignment) { a.Parameters = map[string]string{"a": "1"} }, false},
		"equal certificates": {func(a *fleet.Assignment) { a.TLS = &fleet.TLS{Key: "k"} }, false},
		"engine":             {func(a *fleet.Assignment) { a.Engine = "v2" }, true},
		"port":               {func(a *fleet.Assignment) { a.Port = 2 }, true},
		"memory":             {func(a *fleet.Assignment) { a.Memory = 2 }, true},
		"cluster":            {func(a *fleet.Assignment) { a.Cluster = "d" }, true},
		"shard":              {func(a *fleet.Assignment) { a.Shard = 1 }, true},
		"a parameter":        {func(a *fleet.Assignment) { a.Parameters = map[string]string{"a": "2"} }, true},
		"no parameters":      {func(a *fleet.Assignment) { a.Parameters = nil }, true},
		"no TLS":             {func(a *fleet.Assignment) { a.TLS = nil }, true},
		"certificate":        {func(a *fleet.Assignment) { a.TLS = &fleet.TLS{Key: "k", Certificate: "c"} }, false},
		"TLS's versions":     {func(a *fleet.Assignment) { a.TLS = &fleet.TLS{Key: "k", MinVersion: "1.3"} }, true},
	} {
		b := base
		c.change(&b)
		if needsRestart(base, b) != c.want || needsRestart(b, base) != c.want {
			t.Errorf("%s: not %v", name, c.want)
		}
	}
}

func TestPacing(t *testing.T) {
	p := pacing{first: time.Second, most: 10 * time.Second, stable: time.Minute}
	for _, c := range []struct {
		failures int
		ran      time.Duration
		random   float64
		want     int
		wait     time.Duration
	}{
		{0, 0, 0, 1, 500 * time.Millisecond},
		{0, 0, 0.5, 1, 750 * time.Millisecond},
		{1, time.Second, 0, 2, time.Second},
		{3, 0, 0, 4, 4 * time.Second},
		{4, 0, 0, 5, 5 * time.Second},
		{5000, 0, 0.5, 5001, 7500 * time.Millisecond},
		{5, time.Minute, 0.5, 0, 0},
	} {
		if n, wait := p.after(c.failures, c.ran, c.random); n != c.want || wait != c.wait {
			t.Errorf("%+v: %d, %v", c, n, wait)
		}
	}
}

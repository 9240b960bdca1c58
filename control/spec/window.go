package spec

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"
)

const (
	minWindow = time.Hour
	day       = 24 * time.Hour
	week      = 7 * day
)

// DailyWindow is a time of the day, UTC, that may go over midnight.
type DailyWindow struct{ Start, Length time.Duration } // Start since midnight

// WeeklyWindow is a time of the week, UTC, that may go over its end.
type WeeklyWindow struct{ Start, Length time.Duration } // Start since Sunday 00:00

// ParseDailyWindow reads "05:00-09:00".
func ParseDailyWindow(text string) (DailyWindow, error) {
	from, to, err := parseSpan(text, parseClock)
	if err != nil {
		return DailyWindow{}, fmt.Errorf("must be two times of the day in UTC such as 05:00-09:00, not %q", text)
	}
	w := DailyWindow{Start: from, Length: (to - from + day) % day}
	if w.Length < minWindow {
		return DailyWindow{}, fmt.Errorf("must last 60 minutes at least, %q lasts %d", text, int(w.Length.Minutes()))
	}
	return w, nil
}

// ParseWeeklyWindow reads "sun:23:00-mon:01:30".
func ParseWeeklyWindow(text string) (WeeklyWindow, error) {
	from, to, err := parseSpan(text, parseDayClock)
	if err != nil {
		return WeeklyWindow{}, fmt.Errorf("must be two times of the week in UTC such as sun:23:00-mon:01:30, not %q", text)
	}
	w := WeeklyWindow{Start: from, Length: (to - from + week) % week}
	switch {
	case w.Length < minWindow:
		return WeeklyWindow{}, fmt.Errorf("must last 60 minutes at least, %q lasts %d", text, int(w.Length.Minutes()))
	case w.Length > day:
		return WeeklyWindow{}, fmt.Errorf("must last 24 hours at most, %q lasts %v", text, w.Length)
	}
	return w, nil
}

// Contains reports whether a time is in the window.
func (w DailyWindow) Contains(t time.Time) bool {
	return (sinceMidnight(t)-w.Start+day)%day < w.Length
}

// Contains reports whether a time is in the window.
func (w WeeklyWindow) Contains(t time.Time) bool {
	at := time.Duration(t.UTC().Weekday())*day + sinceMidnight(t)
	return (at-w.Start+week)%week < w.Length
}

// Overlaps reports whether there is a moment in the week that is in both.
func (w WeeklyWindow) Overlaps(d DailyWindow) bool {
	start := w.Start % day
	return (d.Start-start+day)%day < w.Length || (start-d.Start+day)%day < d.Length
}

func sinceMidnight(t time.Time) time.Duration {
	t = t.UTC()
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute +
		time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond())
}

var errWindow = errors.New("not a window")

func parseSpan(text string, parse func(string) (time.Duration, error)) (from, to time.Duration, err error) {
	a, b, ok := strings.Cut(text, "-")
	if !ok {
		return 0, 0, errWindow
	}
	from, err1 := parse(a)
	to, err2 := parse(b)
	return from, to, errors.Join(err1, err2)
}

func parseClock(text string) (time.Duration, error) {
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) != 5 {
		return 0, errWindow
	}
	return sinceMidnight(t), nil
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func parseDayClock(text string) (time.Duration, error) {
	name, clock, _ := strings.Cut(text, ":")
	for i, d := range weekdays {
		if d == name {
			at, err := parseClock(clock)
			return time.Duration(i)*day + at, err
		}
	}
	return 0, errWindow
}

// The windows that a cluster has when none is given are hours of the night that
// differ from cluster to cluster, so that not all are busy at once.
const (
	nightBegins = 22
	nightHours  = 8
)

// defaultMaintenance is an hour of a night that does not overlap the window of
// snapshots, if there is one.
func defaultMaintenance(name, snapshots string) string {
	h := hashOf(name)
	busy, err := ParseDailyWindow(snapshots)
	for i := range uint64(24) {
		hour := int(nightBegins+(h+i)%nightHours+i/nightHours*nightHours) % 24
		from := int(h>>8%7)*24 + hour
		w := clockOfWeek(from) + "-" + clockOfWeek(from+1)
		if free, ferr := ParseWeeklyWindow(w); err != nil || ferr == nil && !free.Overlaps(busy) {
			return w
		}
	}
	return "" // the other window takes all day; Validate says so
}

// defaultSnapshots is an hour of the night that does not overlap another window.
func defaultSnapshots(name, maintenance string) string {
	h := hashOf(name)
	busy, err := ParseWeeklyWindow(maintenance)
	for i := range uint64(24) {
		from := int(nightBegins+(h>>16+i)%nightHours+i/nightHours*nightHours) % 24
		free := DailyWindow{Start: time.Duration(from) * time.Hour, Length: time.Hour}
		if err != nil || !busy.Overlaps(free) {
			return fmt.Sprintf("%02d:00-%02d:00", from, (from+1)%24)
		}
	}
	return "" // the other window takes all day; Validate says so
}

func clockOfWeek(hours int) string {
	return fmt.Sprintf("%s:%02d:00", weekdays[hours/24%7], hours%24)
}

func hashOf(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name)) // never fails
	return h.Sum64()
}

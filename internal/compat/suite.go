package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// suite is the copy of Redis's tests that is run.
type suite struct {
	dir     string   // has tests/ below it
	files   []string // of tests/unit, in the suite's order: unit/dump
	version string   // of the Debian package it comes from
}

// edit is one change to a file of the suite's own machinery or to the tags of a
// block of tests, never to a test.
type edit struct {
	file     string
	old, new string
	why      string
}

var edits = []edit{
	{
		file: "tests/support/server.tcl",
		old:  "    r flushall\n    r function flush\n",
		new:  "    r flushall\n    catch {r function flush}\n",
		why:  "a server without functions would be asked nothing else",
	},
	{
		file: "tests/support/server.tcl",
		old:  "        dict set saved_config $param [lindex [r config get $param] 1]\n        r config set $param $val\n",
		new:  "        dict set saved_config $param [lindex [r config get $param] 1]\n        catch {r config set $param $val}\n",
		why:  "a parameter that a server does not have would take all tests of its block along; those that need it fail by themselves",
	},
	{
		file: "tests/support/server.tcl",
		old:  "    dict for {param val} $saved_config {\n        r config set $param $val\n",
		new:  "    dict for {param val} $saved_config {\n        catch {r config set $param $val}\n",
		why:  "and it cannot be put back either",
	},
	{
		file: "tests/support/test.tcl",
		old:  "    set val [r object encoding $key]\n    assert_match $enc $val\n",
		new: "    set val [r object encoding $key]\n" +
			"    if {$val eq {listpack} && [list [r type $key] $enc] in {{list quicklist} {set hashtable}}} return\n" +
			"    assert_match $enc $val\n",
		why: "the suite is of 7.0; since 7.2 small lists and small sets of strings are listpacks, and say so",
	},
	{
		file: "tests/support/test.tcl",
		old:  "            incr ::num_failed\n            send_data_packet $::test_server_fd err [join $details \"\\n\"]\n\n            if {$::stop_on_failure}",
		new:  "            incr ::num_failed\n            send_data_packet $::test_server_fd err [join $details \"\\n\"]\n            catch {reconnect}\n\n            if {$::stop_on_failure}",
		why:  "a test that failed half-way leaves its connection inside MULTI or with unread replies, and the next ones would be judged by that",
	},
	{
		file: "tests/support/redis.tcl",
		old:  "            - {return -code error [redis_read_line $fd]}\n            $ {return [redis_bulk_read $fd]}\n",
		new: "            - {return -code error [words_of_70 [redis_read_line $fd]]}\n" +
			"            $ {return [words_of_70 [redis_bulk_read $fd]]}\n",
		why: wordsOf72,
	},
	{
		file: "tests/support/redis.tcl",
		old:  "proc ::redis::redis_bulk_read {fd} {\n",
		new: "proc ::redis::words_of_70 text {\n" +
			"    if {[regexp {^user \\S+ o(n|ff) } $text]} {return [string map {{ sanitize-payload } { }} $text]}\n" +
			"    regsub {^NOPERM User \\S+ has} $text {NOPERM this user has} text\n" +
			"    regsub {^NOPERM No permissions to access a (key|channel)$} $text {NOPERM this user has no permissions to access one of the \\1s used as arguments} text\n" +
			"    regsub {^User \\S+ has no permissions to (run|access) the} $text {This user has no permissions to \\1 the} text\n" +
			"    return $text\n}\n\n" +
			"proc ::redis::redis_bulk_read {fd} {\n",
		why: wordsOf72,
	},
	{
		file: "tests/unit/info.tcl", old: `start_server {tags {"info" "external:skip"}}`, new: `start_server {tags {"info"}}`,
		why: changesServer,
	},
	{
		file: "tests/unit/limits.tcl", old: `start_server {tags {"limits network external:skip"}`, new: `start_server {tags {"limits network"}`,
		why: changesServer,
	},
	{
		file: "tests/unit/acl.tcl", old: `start_server {tags {"acl external:skip"}}`, new: `start_server {tags {"acl"}}`,
		why: changesServer,
	},
	{
		file: "tests/unit/acl-v2.tcl", old: `start_server {tags {"acl external:skip"}}`, new: `start_server {tags {"acl"}}`,
		why: changesServer,
	},
	{
		file: "tests/unit/auth.tcl", old: `start_server {tags {"auth external:skip"}}`, new: `start_server {tags {"auth"}}`,
		why: changesServer,
	},
	{
		file: "tests/unit/auth.tcl", old: `start_server {tags {"auth external:skip"} overrides`, new: `start_server {tags {"auth"} overrides`,
		why: changesServer,
	},
	{
		file: "tests/unit/auth.tcl", old: `start_server {tags {"auth_binary_password external:skip"}}`, new: `start_server {tags {"auth_binary_password"}}`,
		why: changesServer,
	},
}

const wordsOf72 = "the suite is of 7.0; 7.2 says in other words what a user may not do, and says of each user that payloads are sanitized"

const changesServer = "spares external servers what it sets and counts; these are fresh, and nobody else's"

// unfit are tests, by file, that neither server is given: against a server that
// the suite has not started they fail, and leave behind what makes others fail.
var unfit = map[string][]string{
	// It looks for the server's process once set-max-intset-entries is 0, and six
	// tests after it want intsets.
	"unit/type/set": {"SRANDMEMBER with a dict containing long chain"},
}

// prepareSuite copies the tests that scripts/redis-source has brought and applies
// the edits.
func prepareSuite(ctx context.Context, c *config) (*suite, error) {
	source := filepath.Join(c.root, ".tools", "redis-source")
	version, err := os.ReadFile(filepath.Join(source, ".version"))
	if err != nil {
		return nil, fmt.Errorf("redis's tests are missing, `make compat` brings them: %w", err)
	}
	s := &suite{dir: filepath.Join(c.dir, "suite"), version: strings.TrimSpace(string(version))}
	if err := os.RemoveAll(s.dir); err != nil {
		return nil, err
	}
	if err := os.CopyFS(filepath.Join(s.dir, "tests"), os.DirFS(filepath.Join(source, "tests"))); err != nil {
		return nil, err
	}
	for _, e := range edits {
		if err := e.apply(s.dir); err != nil {
			return nil, err
		}
	}
	out, code, err := testenv.Run(ctx, testenv.Command{
		Name: "list the tests", Path: "tclsh", Dir: s.dir, Args: []string{"tests/test_helper.tcl", "--list-tests"},
	})
	if err != nil || code != 0 {
		return nil, fmt.Errorf("list the tests: exit code %d: %w\n%s", code, err, out)
	}
	s.files = unitFiles(out)
	if len(s.files) == 0 {
		return nil, errors.New("the suite has no files below unit/")
	}
	return s, nil
}

// unitFiles are the files of a --list-tests that talk to one server each; the
// others, integration/, start and stop their own.
func unitFiles(list string) []string {
	var files []string
	for _, f := range strings.Fields(list) {
		if strings.HasPrefix(f, "unit/") {
			files = append(files, f)
		}
	}
	return files
}

func (e *edit) apply(dir string) error {
	name := filepath.Join(dir, e.file)
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if n := bytes.Count(text, []byte(e.old)); n != 1 {
		return fmt.Errorf("%s: the place to change is there %d times; this version of the suite is another than the edits are for:\n%s", e.file, n, e.old)
	}
	return os.WriteFile(name, bytes.Replace(text, []byte(e.old), []byte(e.new), 1), 0o644)
}

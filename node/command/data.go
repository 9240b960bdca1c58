package command

import "slices"

// MaxString is the longest string value in bytes; see also Ctx.StringLimit.
const MaxString = 512 << 20

// Data returns the rows of all commands on data.
func Data() []*Command {
	return slices.Concat(genericRows(), expireRows(), sortRows(), stringRows(), bitmapRows(), hyperloglogRows(), hashRows(),
		listRows(), setRows(), zsetRows(), geoRows(), streamRows())
}

// one is the key specs of a command with one key, its first argument.
func one(f KeyFlags) []KeySpec { return []KeySpec{Key(1, f)} }

// all is the key specs of a command whose arguments are all keys.
func all(f KeyFlags) []KeySpec { return []KeySpec{Keys(1, -1, 1, f)} }

// counted is the key specs of a command with a number of keys and then the keys,
// from argument index on.
func counted(index int, f KeyFlags) []KeySpec {
	return []KeySpec{{Flags: f, Index: index, Find: FindKeyNum, First: 1, Step: 1}}
}

package main

// differences are all known ones, by file.
var differences = []difference{
	{file: "unit/pubsub", test: "*", needs: "subscribe"},
	{file: "unit/scripting", test: "*", needs: "eval"},
	{file: "unit/functions", test: "*", needs: "function"},
}

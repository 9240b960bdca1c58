// Package workload is the clients of a fault campaign: what they ask of a shard,
// what they record, and the checks over what they recorded.
//
// A Workload is one kind of use: registers, counters, bank transfers. Env.Run
// runs the clients of several at once. Each Client keeps to the node that answers
// as the primary and looks for another when that one refuses or does not answer;
// it sends each command once, so that what became of it is known:
//
//	Done     the server answered
//	Refused  the server said that it did nothing, or nothing was sent
//	Unknown  sent, and no answer: it may have happened, or may happen later
//
// Values that are written are unique, so that loss, duplication and reordering
// can be told apart.
//
// Checks are of two kinds. What can be judged at once (a read that goes back, a
// sum that does not add up) is reported while the clients run. Whole histories
// are judged when they have ended: porcupine looks for one order of a key's
// operations that explains every answer. Operations of unknown outcome make that
// search hard. So that they do not gather on one key, keys are left for new ones
// every few seconds, and one that has too many already is only read.
//
// Reads on replicas may be behind and are no part of those histories; they are
// judged by what must hold at any moment.
package workload

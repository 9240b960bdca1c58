// Package resp is Redis's wire format: a Reader that turns the bytes of a
// client into commands, a Writer that builds replies, and the conversions
// between numbers and text that are part of what clients see.
//
// # Commands
//
// A command arrives as a RESP array of bulk strings ("multibulk")
//
//	*<args>\r\n  then, for each argument,  $<bytes>\r\n<bytes>\r\n
//
// or as an inline command: one line ended by \n or \r\n, split into arguments
// at blanks, with "..." (escapes \n \r \t \b \a \xHH \\ \") and '...' (escape
// \') quoting. The first byte decides: '*' is a multibulk, everything else
// inline. Empty lines, *0 and negative counts are skipped without a reply.
//
// The Reader follows redis-server 7.0 to the byte, because clients, proxies and
// health checks depend on what it really does:
//
//   - A header ends at \r and exactly one byte after it is skipped, whatever
//     it is. The two bytes after an argument are skipped unseen.
//   - Nothing in a header is judged before its \r has arrived, so "*1\r\nfoo"
//     waits where "*1\r\nfoo\r\n" is refused.
//   - A NUL byte in a header or an inline command hides the end of the line;
//     the line can only end in its size limit.
//   - The rules on numbers are those of ParseInt: "+1", "01" and "-0" are no
//     numbers.
//
// It departs from Redis in two places, both so that what a stream means does
// not depend on how the network cut it into reads. The limit on lines without
// an end counts from the start of the line, whereas redis-server accepts a
// longer line if its end happens to arrive in the same read. And the count of a
// multibulk has a limit of its own (Limits.Multibulk): redis-server 7.0 allows
// 2^31-1, older ones 1,048,576.
//
// # Hostile input
//
// No memory is reserved because of a number the client announced: the buffer at
// most doubles when received bytes have filled it, and every number is checked
// against Limits first. Every byte is looked at a constant number of times,
// however the stream is cut, and the payload of arguments is not looked at.
//
// A ProtocolError is final: reply with its text and close the connection, as
// Redis does.
//
// # Replies
//
// A Writer appends replies to a byte slice, in RESP2 or RESP3. Types that RESP2
// lacks are written in it as Redis does: maps as flat arrays, sets and pushes as
// arrays, doubles, big numbers and verbatim strings as bulk strings, booleans as
// the integers 0 and 1.
package resp

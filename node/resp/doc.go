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
// It departs from Redis in three places:
//
//   - What a stream means does not depend on how the network cut it into reads.
//     So the limit on lines counts from the start of the line, whereas
//     redis-server accepts a longer one if its end arrives in the same read.
//   - The count of a multibulk is limited to 1,048,576 (Limits.Multibulk), as in
//     older versions; redis-server 7.0 allows 2^31-1.
//   - Arguments stay in the buffer until the command is complete, so
//     client-query-buffer-limit (Limits.QueryBuffer) bounds the whole command,
//     whereas redis-server moves them out one by one.
//
// # Hostile input
//
// No memory is reserved because of a number the client announced: the buffer
// grows when received bytes have filled it, by a constant factor, and every
// number is checked against Limits first. Every byte is looked at a constant
// number of times, however the stream is cut, and the payload of arguments is
// not looked at.
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

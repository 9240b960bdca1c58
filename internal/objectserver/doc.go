// Package objectserver is the S3 endpoint that `redoubt dev` runs in its own
// process: the protocol is rclone/gofakes3's, the backend is a directory that
// survives kill -9 and power loss.
//
// # What is on disk
//
//	<dir>/<bucket>/<key>                         an object's bytes
//	<dir>/.objectserver/meta/<bucket>/<key>%meta  its MD5 and metadata, as JSON
//	<dir>/.objectserver/tmp/                     objects being written
//	<dir>/.objectserver/uploads/<id>/            parts of multipart uploads
//	<dir>/.objectserver/lock                     held while a server runs
//
// A key's slashes are directories, so a person can look with ls and read with
// cat. In a file name the bytes 0x00-0x1f, 0x7f and '%' appear as %XX, as do
// all bytes from 0x80 up when the key is not UTF-8; the names "." and ".." are
// %2E and %2E%2E, and the empty name (in "a//b" or "a/") is a lone %. All
// access goes through an os.Root, so not even a symbolic link leaves <dir>.
//
// # Durability
//
// A write goes to a temporary file that is fsynced; then, under the one lock
// that every write takes, its conditions are checked (If-None-Match: *,
// If-Match), its metadata is written and fsynced, the file is renamed to its
// place, and the directory is fsynced. Only then is it acknowledged. A crash
// at any point leaves the old object or the new one, whole and with its own
// metadata: a metadata file describes both while one replaces the other, and
// which one holds is decided by the data file's size and modification time.
//
// A file whose size and time match nothing (put there by hand, or copied with
// the directory) is read once, and is adopted with the metadata recorded for
// the same content, or with none.
//
// Multipart uploads in progress do not survive a restart: completing one then
// answers NoSuchUpload, as S3 does for an aborted upload.
//
// # Limits
//
// Objects are files, so two keys of which one is a directory of the other
// ("k" and "k/x") cannot both exist, and no name between slashes may be longer
// than 250 bytes once escaped; both are refused with a 4xx error. The ETag is
// the MD5 of the content, also for multipart uploads. Requests must be signed
// (Signature Version 4, header or presigned) with the one key pair given; the
// payload is verified against its SHA-256 and the checksum it was sent with,
// in a header or an aws-chunked trailer. Chunk signatures are not verified.
// There is no versioning, ACL, encryption, lifecycle or object lock.
package objectserver

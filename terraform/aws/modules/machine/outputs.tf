output "user_data_base64" {
  description = "User data, compressed."
  value       = base64gzip(local.cloud_config)
  precondition {
    # base64 is 4/3 of what it encodes.
    condition     = length(base64gzip(local.cloud_config)) * 3 / 4 <= 16384
    error_message = "The user data is larger than the 16 KiB that EC2 takes."
  }
}

output "files" {
  description = "What the user data writes, by path, for tests and for reading."
  value       = merge({ for path, file in local.files : path => file.content }, { "/usr/local/lib/redoubt/boot" = local.boot })
}

output "bucket" {
  description = "Name of the bucket; known once its settings are in place."
  value       = aws_s3_bucket.this.bucket
  depends_on  = [aws_s3_bucket_policy.this, aws_s3_bucket_server_side_encryption_configuration.this, aws_s3_bucket_versioning.this]
}

output "bucket_arn" {
  description = "ARN of the bucket."
  value       = local.bucket_arn
}

output "store" {
  description = "What --store of redoubt takes."
  value       = "s3://${aws_s3_bucket.this.bucket}/${var.prefix}"
}

output "kms_key_arn" {
  description = "ARN of the key."
  value       = aws_kms_key.this.arn
}

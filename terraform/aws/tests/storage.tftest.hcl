mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                    = "shop"
  account_id              = "123456789012"
  region                  = "eu-central-1"
  partition               = "aws"
  bucket_name             = "shop-redoubt"
  prefix                  = "prod"
  noncurrent_version_days = 14
  force_destroy           = false
}

run "bucket_and_key" {
  module {
    source = "./modules/storage"
  }
  assert {
    condition     = output.store == "s3://shop-redoubt/prod"
    error_message = "The store is bucket and prefix."
  }
  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "The bucket keeps versions."
  }
  assert {
    condition     = alltrue([aws_s3_bucket_public_access_block.this.block_public_acls, aws_s3_bucket_public_access_block.this.block_public_policy, aws_s3_bucket_public_access_block.this.ignore_public_acls, aws_s3_bucket_public_access_block.this.restrict_public_buckets])
    error_message = "Nothing of the bucket can be public."
  }
  # What expires current objects destroys the log.
  assert {
    condition = alltrue([for rule in aws_s3_bucket_lifecycle_configuration.this.rule :
    length(rule.transition) == 0 && alltrue([for expiration in rule.expiration : expiration.expired_object_delete_marker])])
    error_message = "A rule touches current objects."
  }
  assert {
    condition     = contains([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : try(rule.noncurrent_version_expiration[0].noncurrent_days, 0)], 14)
    error_message = "Old versions go after 14 days."
  }
  assert {
    condition     = contains([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : try(rule.abort_incomplete_multipart_upload[0].days_after_initiation, 0)], 7)
    error_message = "Uploads that nobody finished go after 7 days."
  }
  assert {
    condition = anytrue([for statement in jsondecode(aws_s3_bucket_policy.this.policy).Statement :
      statement.Effect == "Deny" && statement.Action == "s3:*" && try(statement.Condition.Bool["aws:SecureTransport"], "") == "false" &&
    toset(flatten([statement.Resource])) == toset(["arn:aws:s3:::shop-redoubt", "arn:aws:s3:::shop-redoubt/*"])])
    error_message = "Requests without TLS are refused."
  }
  assert {
    condition     = alltrue([for statement in jsondecode(aws_s3_bucket_policy.this.policy).Statement : statement.Effect == "Deny"])
    error_message = "The bucket's policy lets nobody in: roles do."
  }
  assert {
    condition     = aws_kms_key.this.enable_key_rotation
    error_message = "The key is rotated."
  }
  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).kms_master_key_id == aws_kms_key.this.arn
    error_message = "The bucket encrypts with the key."
  }
}

output "assume_role" {
  description = "Trust policy of machines."
  value = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}

output "statements" {
  description = "What every machine may do, to be joined with what its role adds."
  value = [for entry in [
    {
      when = true
      statement = {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
        Resource = ["${var.log_group_arn}:*"]
      }
    },
    {
      when = true
      statement = {
        # There is no resource to name: the namespace is the limit.
        Sid       = "Metrics"
        Effect    = "Allow"
        Action    = ["cloudwatch:PutMetricData"]
        Resource  = ["*"]
        Condition = { StringEquals = { "cloudwatch:namespace" = var.metrics_namespace } }
      }
    },
    {
      when = length(var.artifact_object_arns) > 0
      statement = {
        Sid      = "Binaries"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = var.artifact_object_arns
      }
    },
    {
      when = var.issues_certificates
      statement = {
        Sid       = "IssueCertificate"
        Effect    = "Allow"
        Action    = ["acm-pca:IssueCertificate"]
        Resource  = [var.ca_arn]
        Condition = { StringEquals = { "acm-pca:TemplateArn" = var.template_arn } }
      }
    },
    {
      when = var.issues_certificates
      statement = {
        Sid      = "ReadCertificates"
        Effect   = "Allow"
        Action   = ["acm-pca:GetCertificate", "acm-pca:GetCertificateAuthorityCertificate"]
        Resource = [var.ca_arn]
      }
    },
    {
      when = length(var.secret_parameter_arns) > 0
      statement = {
        Sid      = "Secrets"
        Effect   = "Allow"
        Action   = ["ssm:GetParameter"]
        Resource = var.secret_parameter_arns
      }
    },
    {
      when = length(var.secret_parameter_arns) > 0 && var.secret_key_arn != null
      statement = {
        Sid       = "SecretsKey"
        Effect    = "Allow"
        Action    = ["kms:Decrypt"]
        Resource  = [var.secret_key_arn]
        Condition = { StringEquals = { "kms:ViaService" = "ssm.${var.region}.amazonaws.com" } }
      }
    },
    {
      when = var.session_manager
      statement = {
        # These know no resources either.
        Sid    = "SessionManager"
        Effect = "Allow"
        Action = [
          "ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
          "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
        ]
        Resource = ["*"]
      }
    },
  ] : entry.statement if entry.when]
}

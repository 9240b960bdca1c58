output "endpoints" {
  description = "URLs of the members, for --etcd."
  value       = local.clients
}

output "security_group_id" {
  description = "Security group of the members."
  value       = aws_security_group.this.id
}

output "instance_ids" {
  description = "Instances, by member."
  value       = { for name, instance in aws_instance.member : name => instance.id }
}

output "volume_ids" {
  description = "Volumes, by member; none with instance_store."
  value       = { for name, volume in aws_ebs_volume.data : name => { wal = aws_ebs_volume.wal[name].id, data = volume.id } }
}

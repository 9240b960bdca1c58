variable "name" {
  description = "Name of the deployment. Every resource carries it, and the private zone is NAME.internal."
  type        = string
  default     = "redoubt"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}[a-z0-9]$", var.name))
    error_message = "The name is 3 to 21 characters: lower-case letters, digits and hyphens, beginning with a letter and not ending with a hyphen."
  }
}

# --- network

variable "availability_zones" {
  description = "Three zones or more to build in; null: the first three of the region."
  type        = list(string)
  default     = null
  validation {
    condition     = var.availability_zones == null ? true : length(distinct(var.availability_zones)) == length(var.availability_zones) && length(var.availability_zones) >= 3
    error_message = "At least three different zones are needed: with fewer, losing one can lose etcd's majority."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the VPC that is made."
  type        = string
  default     = "10.64.0.0/16"
  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && try(tonumber(split("/", var.vpc_cidr)[1]) <= 20, false)
    error_message = "The VPC's addresses are IPv4 in CIDR notation, /20 or more."
  }
}

variable "existing_vpc" {
  description = "A VPC to use instead: its id, a private subnet for each of three zones or more, and the route tables that get the S3 endpoint (none: there is one already). Set interface_endpoints to what it lacks."
  type = object({
    vpc_id          = string
    subnet_ids      = map(string)
    route_table_ids = optional(list(string), [])
  })
  default = null
  validation {
    condition     = var.existing_vpc == null ? true : length(var.existing_vpc.subnet_ids) >= 3
    error_message = "A subnet in each of at least three zones is needed."
  }
}

variable "nat_gateways" {
  description = "none: machines reach AWS by endpoints alone, and binaries come from S3; single or per_az: they reach the internet, too."
  type        = string
  default     = "none"
  validation {
    condition     = contains(["none", "single", "per_az"], var.nat_gateways)
    error_message = "One of none, single and per_az."
  }
  validation {
    condition = var.nat_gateways != "none" || var.existing_vpc != null || alltrue([
      for url in concat([var.redoubt_binary.url, var.etcd_binary.url], [for engine in values(var.engines) : engine.url]) : startswith(url, "s3://")
    ])
    error_message = "Without NAT gateways machines cannot fetch https:// URLs: put the binaries into S3, or choose single or per_az."
  }
}

variable "interface_endpoints" {
  description = "AWS services that get an interface endpoint. The default is what machines without NAT need."
  type        = list(string)
  default     = ["acm-pca", "autoscaling", "logs", "monitoring", "ssm", "ssmmessages"]
}

variable "client_security_group_ids" {
  description = "Security groups that Redis clients and users of the API are in."
  type        = list(string)
  default     = []
}

variable "client_cidrs" {
  description = "Address ranges that Redis clients and users of the API are in."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for cidr in var.client_cidrs : can(cidrhost(cidr, 0)) && cidr != "0.0.0.0/0"])
    error_message = "Ranges in CIDR notation; 0.0.0.0/0 is not allowed."
  }
}

variable "prometheus_security_group_ids" {
  description = "Security groups of Prometheus servers that scrape etcd (port 2381), the host agents and the control plane (port 9121)."
  type        = list(string)
  default     = []
}

# --- programs

variable "redoubt_binary" {
  description = "The redoubt program: an s3:// or https:// URL, and the SHA-256 of the file. Before it changes, name its version in engines."
  type        = object({ url = string, sha256 = string })
  validation {
    condition     = can(regex("^(s3|https)://.+/.+", var.redoubt_binary.url)) && can(regex("^[0-9a-f]{64}$", var.redoubt_binary.sha256))
    error_message = "The URL begins with s3:// or https://, and the SHA-256 is 64 hexadecimal digits."
  }
}

variable "engines" {
  description = "Versions of redoubt that nodes can run, by version, for upgrades node by node; none: that of redoubt_binary, which then must not change: name the old version here first, as hosts that are replaced have what is here and nothing else. Take a version out when no cluster has it."
  type        = map(object({ url = string, sha256 = string }))
  default     = {}
  validation {
    condition     = alltrue([for engine in values(var.engines) : can(regex("^(s3|https)://.+/.+", engine.url)) && can(regex("^[0-9a-f]{64}$", engine.sha256))])
    error_message = "URLs begin with s3:// or https://, and SHA-256s are 64 hexadecimal digits."
  }
}

variable "etcd_binary" {
  description = "Release archive (tar) of etcd 3.7 with etcd and etcdctl: an s3:// or https:// URL, and its SHA-256."
  type        = object({ url = string, sha256 = string })
  validation {
    condition     = can(regex("^(s3|https)://.+/.+", var.etcd_binary.url)) && can(regex("^[0-9a-f]{64}$", var.etcd_binary.sha256))
    error_message = "The URL begins with s3:// or https://, and the SHA-256 is 64 hexadecimal digits."
  }
}

variable "architecture" {
  description = "arm64 or x86_64: of the image, the instance types and the binaries."
  type        = string
  default     = "arm64"
  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "arm64 or x86_64."
  }
}

variable "ami_id" {
  description = "Amazon Linux 2023 image; null: the newest. Running etcd members keep theirs until they are replaced."
  type        = string
  default     = null
}

# --- etcd

variable "etcd_members" {
  description = "3 or 5, spread over the zones."
  type        = number
  default     = 3
  validation {
    condition     = contains([3, 5], var.etcd_members)
    error_message = "3 or 5."
  }
}

variable "etcd_instance_type" {
  description = "Instance type of etcd's members; with instance_store one with NVMe, better two."
  type        = string
  default     = "m7g.large"
}

variable "etcd_storage" {
  description = "Where etcd keeps its log and data. ebs: two volumes a member that survive the instance; instance_store: the instance's NVMe, faster, and a member that stops joins anew. A write waits for the second-fastest member's sync."
  type = object({
    kind            = optional(string, "ebs")
    volume_type     = optional(string, "gp3") # or io2, which syncs faster
    wal_size        = optional(number, 20)    # GiB; 30 s of writes at least
    wal_iops        = optional(number, 6000)
    wal_throughput  = optional(number, 250) # MiB/s, gp3 only
    data_size       = optional(number, 40)
    data_iops       = optional(number, 3000)
    data_throughput = optional(number, 125)
  })
  default = {}
  validation {
    condition     = contains(["ebs", "instance_store"], var.etcd_storage.kind) && contains(["gp3", "io2"], var.etcd_storage.volume_type)
    error_message = "kind is ebs or instance_store, volume_type gp3 or io2."
  }
  validation {
    condition     = var.etcd_storage.wal_size >= 4 && var.etcd_storage.data_size * 1073741824 >= 2 * var.etcd_settings.quota_bytes
    error_message = "The log needs 4 GiB at least, the data twice etcd's quota: a snapshot from another member lies beside the file."
  }
}

variable "etcd_settings" {
  description = "etcd's quota in bytes, at least four times the head limits of all shards in it; election timeout and heartbeat in ms, which bound how soon a dead primary is replaced."
  type = object({
    quota_bytes      = optional(number, 8589934592)
    election_timeout = optional(number, 500)
    heartbeat        = optional(number, 50)
  })
  default = {}
  validation {
    condition     = var.etcd_settings.quota_bytes >= 1073741824 && var.etcd_settings.election_timeout >= 5 * var.etcd_settings.heartbeat && var.etcd_settings.election_timeout <= 50000
    error_message = "The quota is 1 GiB at least, the election timeout at least five heartbeats and at most 50 s."
  }
}

# --- hosts

variable "hosts_per_az" {
  description = "Hosts in each zone."
  type        = number
  default     = 1
  validation {
    condition     = var.hosts_per_az >= 1 && var.hosts_per_az <= 100 && floor(var.hosts_per_az) == var.hosts_per_az
    error_message = "1 to 100."
  }
}

variable "host_instance_type" {
  description = "Instance type of hosts."
  type        = string
  default     = "r7g.xlarge"
}

variable "host_memory_percent" {
  description = "Share of a host's memory that its nodes may have in all."
  type        = number
  default     = 85
  validation {
    condition     = var.host_memory_percent >= 10 && var.host_memory_percent <= 95
    error_message = "10 to 95."
  }
}

variable "host_root_volume_size" {
  description = "GiB of a host's root disk: programs, logs, and snapshots in the making."
  type        = number
  default     = 50
  validation {
    condition     = var.host_root_volume_size >= 20
    error_message = "20 GiB at least."
  }
}

variable "node_ports" {
  description = "Ports that nodes serve Redis clients on."
  type        = object({ first = number, last = number })
  default     = { first = 6379, last = 6479 }
  validation {
    condition     = var.node_ports.first >= 1024 && var.node_ports.last <= 65535 && var.node_ports.first <= var.node_ports.last
    error_message = "Ports from 1024 to 65535, the first not above the last."
  }
}

variable "drain_seconds" {
  description = "Seconds that a host gets to hand over its shards before auto scaling ends it."
  type        = number
  default     = 240
  validation {
    condition     = var.drain_seconds >= 30 && var.drain_seconds <= 7000
    error_message = "30 to 7000 s."
  }
}

# --- control plane

variable "control_instances" {
  description = "Instances of the control plane; one leads, the others stand by."
  type        = number
  default     = 2
  validation {
    condition     = var.control_instances >= 2 && var.control_instances <= 10
    error_message = "2 to 10: one alone leaves dead hosts unreplaced while it is away."
  }
}

variable "control_instance_type" {
  description = "Instance type of the control plane. It makes the snapshots: it needs the memory of the largest node."
  type        = string
  default     = "r7g.large"
}

variable "control_root_volume_size" {
  description = "GiB of the control plane's root disk, where snapshots are made."
  type        = number
  default     = 50
  validation {
    condition     = var.control_root_volume_size >= 20
    error_message = "20 GiB at least."
  }
}

variable "deletion_protection" {
  description = "Keep the control plane's load balancer from being deleted."
  type        = bool
  default     = false
}

# --- storage and keys

variable "bucket_name" {
  description = "Name of the bucket; null: NAME-ACCOUNT-REGION."
  type        = string
  default     = null
}

variable "bucket_prefix" {
  description = "Where in the bucket the data is."
  type        = string
  default     = "redoubt"
  validation {
    condition     = can(regex("^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$", var.bucket_prefix))
    error_message = "Letters, digits, dots, hyphens and underscores, with single slashes between."
  }
}

variable "noncurrent_version_days" {
  description = "Days that an object that was deleted can still be brought back."
  type        = number
  default     = 14
  validation {
    condition     = var.noncurrent_version_days >= 1
    error_message = "One day at least."
  }
}

variable "force_destroy_bucket" {
  description = "Let terraform destroy delete the bucket with all data in it."
  type        = bool
  default     = false
}

variable "certificate_authority_arn" {
  description = "A private CA (ACM PCA) to issue the machines' certificates; null: one is made."
  type        = string
  default     = null
  validation {
    condition     = var.certificate_authority_arn == null ? true : can(regex("^arn:[a-z-]+:acm-pca:[a-z0-9-]+:[0-9]{12}:certificate-authority/.+$", var.certificate_authority_arn))
    error_message = "The ARN of a private certificate authority."
  }
}

# --- watching

variable "alarm_topic_arns" {
  description = "SNS topics that alarms go to."
  type        = list(string)
  default     = []
}

variable "alarm_clusters" {
  description = "Names of clusters whose lack of a primary is an alarm. Add them once they are there."
  type        = list(string)
  default     = []
}

variable "alarm_thresholds" {
  description = "Where alarms begin: p99 of etcd's syncs in ms, shares in percent."
  type = object({
    etcd_sync_ms       = optional(number, 10)
    etcd_quota_percent = optional(number, 70)
    head_fill_percent  = optional(number, 50)
    memory_percent     = optional(number, 92)
    disk_percent       = optional(number, 80)
  })
  default = {}
}

variable "log_retention_days" {
  description = "Days that logs are kept; one of the numbers that CloudWatch knows."
  type        = number
  default     = 30
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "One of the retention times of CloudWatch Logs: 1, 3, 5, 7, 14, 30, 60, 90, ... days."
  }
}

variable "session_manager" {
  description = "Let people with the right to it open shells on the machines by AWS Session Manager. There is no SSH."
  type        = bool
  default     = true
}

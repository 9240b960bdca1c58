terraform import redoubt_cluster.shop shop

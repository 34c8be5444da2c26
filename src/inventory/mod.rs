//! What there is to evacuate: settings, customers, hosts, workloads. Pure.

/// When a process is old enough to be replaced by a fresh one.
package struct RecyclingRule: Sendable {
    /// Jobs done; 0 for never.
    package var afterJobs = 0
    /// Resident bytes; 0 for never.
    package var atBytes = 0

    package init(afterJobs: Int = 0, atBytes: Int = 0) {
        self.afterJobs = afterJobs
        self.atBytes = atBytes
    }

    /// Why the process should be recycled, or nil.
    package func reason(jobsDone: Int, residentBytes: Int?) -> String? {
        if afterJobs > 0, jobsDone >= afterJobs {
            return "it has done \(jobsDone) jobs (worker.recycle_after_jobs: \(afterJobs))"
        }
        if atBytes > 0, let residentBytes, residentBytes >= atBytes {
            return "it occupies \(residentBytes) bytes (worker.recycle_at_bytes: \(atBytes))"
        }
        return nil
    }
}

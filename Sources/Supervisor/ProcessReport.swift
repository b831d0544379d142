import Foundation

/// What a worker process says of itself, once a second: to its supervisor, to systemd.
package struct ProcessReport: Codable, Sendable, Equatable {
    /// Whether it does its work: the first round trip that fetches has succeeded.
    package var isReady = false
    /// Whether its loops turn: nothing that only a restart would mend.
    package var isProgressing = true
    /// Where it is in its life, in one word.
    package var phase = "starting"
    /// Jobs whose bodies run, of ``concurrency``.
    package var running = 0
    /// Deliveries taken and not yet settled.
    package var held = 0
    package var concurrency = 0
    /// Jobs that have ended, whatever their outcome.
    package var jobsDone = 0
    /// Since the last round trip that fetched.
    package var fetchAgeSeconds: Double?
    /// Since the lease was last renewed.
    package var leaseAgeSeconds: Double?
    package var residentBytes: Int?
    /// The name under which it holds its leases.
    package var worker: String?
    /// Why it would like to be replaced by a fresh process.
    package var recycleBecause: String?
    /// What `systemctl status` shows, when jobs do not describe the process.
    package var status: String?

    package init() {}

    enum CodingKeys: String, CodingKey {
        case isReady = "ready"
        case isProgressing = "progressing"
        case phase
        case running
        case held
        case concurrency
        case jobsDone = "jobs_done"
        case fetchAgeSeconds = "fetch_age_s"
        case leaseAgeSeconds = "lease_age_s"
        case residentBytes = "resident_bytes"
        case worker
        case recycleBecause = "recycle_because"
        case status
    }

    /// Reads a line; nil when it is none of ours.
    package init?(line: [UInt8]) {
        guard let report = try? JSONDecoder().decode(Self.self, from: Data(line)) else {
            return nil
        }
        self = report
    }

    /// One line of JSON.
    package var line: [UInt8] { (try? JSONEncoder().encode(self)).map { Array($0) } ?? [] }

    /// What `systemctl status` shows.
    package var statusText: String {
        if let status { return status }
        var text = "\(phase): \(running) of \(concurrency) jobs, \(held) held, \(jobsDone) done"
        if let age = fetchAgeSeconds { text += ", fetched \(age.inTenths) s ago" }
        return text
    }
}

extension Double {
    /// Rounded to one digit.
    fileprivate var inTenths: Double { (self * 10).rounded() / 10 }
}

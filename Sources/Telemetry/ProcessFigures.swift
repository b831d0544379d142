import Foundation
import Glibc

/// What the kernel says of this process, under the names that Prometheus' clients use.
package enum ProcessFigures {
    /// What `/proc/self/stat` holds that is of interest; source: proc(5).
    struct Stat: Equatable {
        /// In clock ticks.
        let userTicks: UInt64
        let systemTicks: UInt64
        /// User and system time, in clock ticks.
        var processorTicks: UInt64 { userTicks &+ systemTicks }
        /// Since the machine started, in clock ticks.
        let startTicks: UInt64
        let residentPages: UInt64

        init?(_ text: String) {
            // The name may hold spaces and parentheses; it ends with the last one.
            guard let end = text.lastIndex(of: ")") else { return nil }
            let fields = text[text.index(after: end)...].split(separator: " ")
            // Fields 14, 15, 22 and 24 of the manual, the first after the name being 3.
            guard fields.count > 21, let user = UInt64(fields[11]), let system = UInt64(fields[12]),
                let start = UInt64(fields[19]), let pages = UInt64(fields[21])
            else { return nil }
            userTicks = user
            systemTicks = system
            startTicks = start
            residentPages = pages
        }
    }

    /// Adds the metrics of this process.
    package static func register(in registry: MetricRegistry) {
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        let page = Double(sysconf(Int32(_SC_PAGESIZE)))
        let start = startTime(ticks: ticks)
        registry.computed(
            .gauge, "process_resident_memory_bytes", "Memory of the process that is resident."
        ) { stat().map { Double($0.residentPages) * page } }
        registry.computed(
            .counter, "process_cpu_seconds_total", "User and system time of the process."
        ) { stat().map { Double($0.processorTicks) / ticks } }
        registry.computed(
            .gauge, "process_start_time_seconds", "When the process started, since 1970."
        ) { start }
        registry.computed(.gauge, "process_open_fds", "Open file descriptors of the process.") {
            // The listing itself is one of them.
            (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))
                .map { Double($0.count - 1) }
        }
    }

    /// How long this process has computed, for itself and within the kernel, seconds.
    package static var processorSeconds: (user: Double, system: Double)? {
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        return stat().map { (Double($0.userTicks) / ticks, Double($0.systemTicks) / ticks) }
    }

    private static func stat() -> Stat? {
        (try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8)).flatMap(Stat.init)
    }

    private static func startTime(ticks: Double) -> Double? {
        guard let text = try? String(contentsOfFile: "/proc/stat", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("btime ") }),
            let boot = Double(line.dropFirst(6)), let start = stat()?.startTicks
        else { return nil }
        return boot + Double(start) / ticks
    }
}

import Foundation

/// How busy the machine is.
package enum LoadAverage {
    /// The load over 1, 5 and 15 minutes; zeros where it cannot be read.
    ///
    /// Source: proc(5), `/proc/loadavg`.
    package static var now: [Double] {
        let text = (try? String(contentsOfFile: "/proc/loadavg", encoding: .utf8)) ?? ""
        let loads = text.split(separator: " ").prefix(3).compactMap { Double($0) }
        return loads.count == 3 ? loads : [0, 0, 0]
    }
}

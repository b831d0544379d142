import Foundation
package import JobModel
import NIOHTTP1
package import Telemetry

/// What each path says, without a socket in sight.
package struct HealthPages: Sendable {
    /// One answer.
    struct Reply: Sendable, Equatable {
        let status: HTTPResponseStatus
        var contentType = "text/plain; charset=utf-8"
        var isAllowListed = false
        let body: String
    }

    /// What a request comes to.
    enum Answer: Sendable, Equatable {
        case now(Reply)
        /// `/health`: ask the servers first.
        case afterAsking
    }

    private let checks: HealthChecks
    private let metrics: @Sendable () -> MetricSnapshot
    private let version: String
    private let time: any TimeSource

    /// `metrics` runs on the thread that answers probes, and must not wait.
    package init(
        checks: HealthChecks, metrics: @escaping @Sendable () -> MetricSnapshot, version: String,
        time: any TimeSource
    ) {
        self.checks = checks
        self.metrics = metrics
        self.version = version
        self.time = time
    }

    /// Answers a request; `accepts` is its Accept header.
    func answer(_ method: HTTPMethod, _ target: String, accepts: String) -> Answer {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let query = parts.count == 2 ? parts[1].split(separator: "&") : []
        let path = parts.first ?? ""
        guard Self.paths.contains(String(path)) else {
            return .now(
                Reply(status: .notFound, body: "not found; there are \(Self.pathList)\n"))
        }
        guard method == .GET || method == .HEAD else {
            return .now(
                Reply(
                    status: .methodNotAllowed, isAllowListed: true,
                    body: "only GET and HEAD are answered\n"))
        }
        let wantsJSON = accepts.contains("application/json") || query.contains("format=json")
        switch path {
        case "/health": return .afterAsking
        case "/metrics": return .now(metricsPage(wantsJSON: wantsJSON))
        default:
            let isVerbose = query.contains { $0 == "verbose" || $0.hasPrefix("verbose=") }
            return .now(
                probe(
                    String(path.dropFirst()), seen(by: path), wantsJSON: wantsJSON,
                    isVerbose: isVerbose))
        }
    }

    /// The page of `/health`, in the form of the developer guide.
    func health(_ verdict: Reachability.Verdict) -> Reply {
        struct Page: Encodable {
            let status: String
            let timestamp: String
            let version: String
            var unreachable: [String]?
            var detail: String?
        }
        let isHealthy = verdict.gone.isEmpty
        var page = Page(
            status: isHealthy ? "healthy" : "unhealthy",
            timestamp: time.now.formatted(.iso8601WithFractions), version: version)
        if !isHealthy {
            page.unreachable = verdict.gone
            page.detail =
                "Service unhealthy: no answer from "
                + verdict.gone.joined(separator: " and ")
        }
        return Reply(
            status: isHealthy ? .ok : .serviceUnavailable, contentType: Self.json,
            body: Self.text(page))
    }

    private static let paths: Set = ["/livez", "/readyz", "/startupz", "/metrics", "/health"]
    private static let pathList = "/livez, /readyz, /startupz, /metrics and /health"
    private static let json = "application/json"

    private func seen(by path: Substring) -> [HealthCheck] {
        switch path {
        case "/startupz": checks.started()
        case "/readyz": checks.ready()
        default: checks.live()
        }
    }

    private func probe(
        _ name: String, _ seen: [HealthCheck], wantsJSON: Bool, isVerbose: Bool
    ) -> Reply {
        let isPassed = seen.allSatisfy(\.ok)
        let status: HTTPResponseStatus = isPassed ? .ok : .serviceUnavailable
        if wantsJSON {
            struct Page: Encodable {
                let status: String
                let checks: [HealthCheck]
            }
            let page = Page(status: isPassed ? "ok" : "failed", checks: seen)
            return Reply(status: status, contentType: Self.json, body: Self.text(page))
        }
        let shown = isVerbose ? seen : seen.filter { !$0.ok }
        let lines = shown.map { "[\($0.ok ? "+" : "-")] \($0.name): \($0.why)\n" }.joined()
        let last = isPassed ? (isVerbose ? "\(name): ok\n" : "ok\n") : "\(name): failed\n"
        return Reply(status: status, body: lines + last)
    }

    private func metricsPage(wantsJSON: Bool) -> Reply {
        if wantsJSON {
            return Reply(status: .ok, contentType: Self.json, body: Self.text(metrics()))
        }
        return Reply(
            status: .ok, contentType: PrometheusText.contentType,
            body: PrometheusText.render(metrics()))
    }

    private static func text(_ page: some Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(page) else {
            // Nothing that is shown here holds what JSON cannot carry.
            return "{}\n"
        }
        return String(decoding: data, as: UTF8.self) + "\n"
    }
}

extension FormatStyle where Self == Date.ISO8601FormatStyle {
    /// `2026-11-24T23:05:07.250Z`.
    fileprivate static var iso8601WithFractions: Self {
        Date.ISO8601FormatStyle(includingFractionalSeconds: true)
    }
}

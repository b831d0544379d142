import Foundation
import JobModel
import ProcessControl
import Redis
import Telemetry
import Worker

/// What remote control tells of the process: its settings, its software, its broker, its memory.
struct ControlFacts {
    let loaded: LoadedSettings

    /// What the worker's remote control is given.
    var ports: ControlPorts {
        let loaded = loaded
        var ports = ControlPorts()
        ports.conf = { Self.conf(loaded, withDefaults: $0) }
        ports.report = { Self.report(loaded) }
        ports.brokerInfo = Self.broker(loaded.settings)
        ports.residentBytes = { ResidentMemory.bytes() }
        ports.rusage = { Self.usage }
        return ports
    }

    // MARK: conf

    /// Celery's names for what it knows too, and then every setting under its own.
    ///
    /// Secrets are never shown, whoever asks.
    static func conf(_ loaded: LoadedSettings, withDefaults: Bool) -> JSONObject {
        let settings = loaded.settings
        let url = JSONValue.string(masked(settings.redis.url))
        var conf: JSONObject = [
            "broker_url": url, "result_backend": url,
            "task_default_queue": "celery", "task_serializer": "json",
            "result_serializer": "json", "accept_content": ["json"], "enable_utc": true,
            "timezone": "UTC", "task_acks_late": true,
            "result_expires": .number(JSONNumber(settings.results.expires.components.seconds)),
            "task_ignore_result": .bool(!settings.results.isEnabled),
            "worker_concurrency": .number(JSONNumber(settings.worker.concurrency)),
            "worker_enable_remote_control": .bool(settings.worker.remoteControl),
            "broker_transport_options": [
                "global_keyprefix": .string(settings.redis.keyPrefix),
                "visibility_timeout": .number(
                    JSONNumber(settings.worker.visibilityTimeout.components.seconds)),
            ],
        ]
        for key in SettingKey.all
        where withDefaults || loaded.source(of: key.name) != .standard {
            let value = key.shown(settings).map(JSONValue.string) ?? .null
            conf["backhaul.\(key.name)"] = value
        }
        return conf
    }

    /// The address as Celery masks it.
    private static func masked(_ url: Secret) -> String {
        "\(url)".replacing("://***@", with: "://:********@")
    }

    // MARK: report

    private static func report(_ loaded: LoadedSettings) -> String {
        let process = ProcessInfo.processInfo
        let conf = conf(loaded, withDefaults: false).map { name, value in
            "\(name): \(String(decoding: value.encoded(.python), as: UTF8.self))"
        }.joined(separator: "\n")
        return """

            software -> celery:5.7 (spoken by backhaul:\(VersionCommand.version)), protocol:2
            platform -> system:Linux host:\(process.hostName) \
            processors:\(process.activeProcessorCount)
            loader   -> backhaul
            settings -> transport:redis results:redis

            \(conf)

            """
    }

    // MARK: stats

    private static func broker(_ settings: Settings) -> JSONObject {
        var info: JSONObject = [
            "hostname": nil, "userid": nil, "virtual_host": "0", "port": nil, "insist": false,
            "ssl": false, "transport": "redis",
            "connect_timeout": .number(JSONNumber(settings.redis.connectTimeout.inSeconds)),
            "transport_options": [:], "login_method": nil, "uri_prefix": nil, "heartbeat": 0,
            "failover_strategy": "round-robin", "alternates": [], "credential_provider": nil,
        ]
        guard let address = try? RedisAddress(url: settings.redis.url.revealed) else { return info }
        info["virtual_host"] = .string("\(address.database)")
        switch address.endpoint {
        case .tcp(let host, let port):
            info["hostname"] = .string(host)
            info["port"] = .number(JSONNumber(port))
        case .unix(let path): info["hostname"] = .string(path)
        case .sentinel(let sentinels): info["hostname"] = .string(sentinels.master)
        }
        return info
    }

    private static var usage: JSONObject {
        let seconds = ProcessFigures.processorSeconds
        var usage: JSONObject = [
            "utime": .number(JSONNumber(seconds?.user ?? 0)),
            "stime": .number(JSONNumber(seconds?.system ?? 0)),
            "maxrss": .number(JSONNumber((ResidentMemory.bytes() ?? 0) / 1024)),
        ]
        for name in [
            "ixrss", "idrss", "isrss", "minflt", "majflt", "nswap", "inblock", "oublock", "msgsnd",
            "msgrcv", "nsignals", "nvcsw", "nivcsw",
        ] { usage[name] = 0 }
        return usage
    }
}

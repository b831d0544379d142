import Redis

/// The scripts, one for each transition; their contracts are in `Scripts/*.lua`.
struct BrokerScripts: Sendable {
    let reserve = RedisScript(name: "reserve", source: PackageResources.reserve_lua)
    let schedule = settingAside("schedule", PackageResources.schedule_lua)
    let promote = RedisScript(name: "promote", source: PackageResources.promote_lua)
    let reschedule = RedisScript(name: "reschedule", source: PackageResources.reschedule_lua)
    let renew = RedisScript(name: "renew", source: PackageResources.renew_lua)
    let forget = RedisScript(name: "forget", source: PackageResources.forget_lua)
    let tick = ticking("tick", PackageResources.tick_lua)
    let trigger = ticking("trigger", PackageResources.trigger_lua)
    let admit = ticking("admit", PackageResources.admit_lua)
    let strike = ticking("strike", PackageResources.strike_lua)
    let relay = settingAside("relay", PackageResources.relay_lua)
    let release = RedisScript(name: "release", source: PackageResources.release_lua)
    let replay = RedisScript(name: "replay", source: PackageResources.replay_lua)
    let page = RedisScript(name: "page", source: PackageResources.page_lua)
    let edit = RedisScript(name: "edit", source: PackageResources.edit_lua)
    let purge = RedisScript(name: "purge", source: PackageResources.purge_lua)
    let trim = RedisScript(name: "trim", source: PackageResources.trim_lua)
    let probe = RedisScript(name: "probe", source: PackageResources.probe_lua)
    let discard = RedisScript(name: "discard", source: PackageResources.discard_lua)
    let acknowledge = storing("acknowledge", PackageResources.acknowledge_lua)
    let retry = storing("retry", PackageResources.aside_lua + PackageResources.retry_lua)
    let bury = storing("bury", PackageResources.bury_lua)
    let report = storing("report", PackageResources.report_lua)
    let reclaim = storing("reclaim", PackageResources.reclaim_lua)
    let cancel = RedisScript(name: "cancel", source: PackageResources.cancel_lua)
    let revoked = storing("revoked", PackageResources.revoked_lua)
    let echo = RedisScript(name: "echo", source: PackageResources.echo_lua)
    let reply = RedisScript(name: "reply", source: PackageResources.reply_lua)

    let conclude = following("conclude", PackageResources.conclude_lua)
    let publish = following("publish", PackageResources.publish_lua)
    let finish = following("finish", PackageResources.finish_lua)
    let annul = following("annul", PackageResources.annul_lua)
    let claim = RedisScript(name: "claim", source: PackageResources.claim_lua)
    let extend = RedisScript(name: "extend", source: PackageResources.extend_lua)
    let stage = RedisScript(name: "stage", source: PackageResources.stage_lua)
    let unstage = settingAside("unstage", PackageResources.unstage_lua)

    /// A script that stores results: the shared part stands in front of its own.
    private static func storing(_ name: String, _ source: [UInt8]) -> RedisScript {
        RedisScript(name: name, source: PackageResources.result_lua + source)
    }

    /// A script that keeps the book of ticks.
    private static func ticking(_ name: String, _ source: [UInt8]) -> RedisScript {
        RedisScript(name: name, source: PackageResources.ticks_lua + source)
    }

    /// A script that puts messages aside until their time: the shared part stands in front of its own.
    private static func settingAside(_ name: String, _ source: [UInt8]) -> RedisScript {
        RedisScript(name: name, source: PackageResources.aside_lua + source)
    }

    /// A script that writes what follows from the end of a job: the shared parts stand in front.
    private static func following(_ name: String, _ source: [UInt8]) -> RedisScript {
        storing(
            name,
            PackageResources.aside_lua + PackageResources.ticks_lua + PackageResources.effects_lua
                + source)
    }
}

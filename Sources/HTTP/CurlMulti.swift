internal import CCurl

/// libcurl's multi handle: the connection pool and the poll set of one driver.
///
/// Threading: every method belongs to the driver's thread, except ``wake()``, which libcurl allows
/// from any. Ownership: freed in `deinit`, when the driver has ended and no waker holds it.
/// See libcurl-multi(3), curl_multi_poll(3), curl_multi_wakeup(3).
@safe
final class CurlMulti: @unchecked Sendable {
    // Invariant: a live handle from init to deinit; only `wake` is called off the driver's thread.
    private let handle: UnsafeMutableRawPointer

    private static let isReady: Bool = curl_global_init(Int(CURL_GLOBAL_ALL)) == CURLE_OK

    init(limits: HTTPLimits) {
        precondition(Self.isReady, "curl_global_init failed")
        guard let handle = unsafe curl_multi_init() else {
            preconditionFailure("curl_multi_init failed: out of memory")
        }
        unsafe self.handle = handle
        unsafe curl_multi_set_long(handle, CURLMOPT_MAXCONNECTS, limits.maximumInFlight)
        unsafe curl_multi_set_long(
            handle, CURLMOPT_MAX_HOST_CONNECTIONS, limits.maximumConnectionsPerHost)
    }

    deinit { unsafe curl_multi_cleanup(handle) }

    func add(_ easy: CurlEasy) {
        let code = unsafe easy.withHandle { unsafe curl_multi_add_handle(handle, $0) }
        precondition(code == CURLM_OK, "curl_multi_add_handle failed with \(code.rawValue)")
    }

    func remove(_ easy: CurlEasy) {
        let code = unsafe easy.withHandle { unsafe curl_multi_remove_handle(handle, $0) }
        precondition(code == CURLM_OK, "curl_multi_remove_handle failed with \(code.rawValue)")
    }

    /// Moves every transfer on, and calls `finished` with each that is over.
    func perform(finished: (_ identity: Int, _ code: CURLcode) -> Void) {
        var running: Int32 = 0
        let code = unsafe curl_multi_perform(handle, &running)
        precondition(code == CURLM_OK, "curl_multi_perform failed with \(code.rawValue)")
        var left: Int32 = 0
        var over: [(Int, CURLcode)] = []
        while let message = unsafe curl_multi_info_read(handle, &left) {
            guard unsafe message.pointee.msg == CURLMSG_DONE else { continue }
            unsafe over.append(
                (Int(bitPattern: message.pointee.easy_handle), message.pointee.data.result))
        }
        for (identity, code) in over { finished(identity, code) }
    }

    /// Sleeps until a socket is ready, ``wake()`` is called, or the time is up.
    func poll(upToMilliseconds milliseconds: Int32) {
        unsafe curl_multi_poll(handle, nil, 0, milliseconds, nil)
    }

    /// Ends the current or the next ``poll(upToMilliseconds:)`` at once; from any thread.
    func wake() {
        unsafe curl_multi_wakeup(handle)
    }
}

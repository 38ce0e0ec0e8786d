"""The words of the sign and of the impact assessment, each true of what the code does when it is used."""

from sync.members.consent import Language

SIGN: dict[Language, dict[str, str]] = {
    "zh": {
        "title": "本店使用的传感设备",
        "cameras": "摄像头统计进出与停留的人数。画面只在内存中即时处理，本系统不录像、不保存图像。",
        "frigate": "部分摄像头另由店内录像系统（Frigate）使用，其保存期限由该系统决定，请向店员询问。",
        "face_off": "本系统不进行人脸识别。",
        "face_check_in": "人脸识别仅面向事先同意并登记的成年会员，且只在标明的签到处进行。未匹配到会员的人脸不保存，半秒内覆盖删除。",
        "face_entrance": (
            "为识别事先同意并登记的成年会员，入口处摄像头会将进店者的人脸与会员模板比对。未匹配到会员的人脸不保存，半秒内覆盖删除。"
        ),
        "without_face": "不使用人脸也享有同样的权益：出示会员码或会员卡，或告诉店员即可。",
        "cards": "同意保存资料的会员携带会员卡进店时，读卡器会告知店员。",
        "wifi_on": (
            "我们估算店内手机数量：手机地址收到后立即加密散列，密钥只在内存中且每 10 分钟更换；"
            "只保留每 {minutes} 分钟的总数，少于 5 的不公布，无法跨时段识别任何手机。"
        ),
        "wifi_login": "同意此项的会员用会员身份登录门店 Wi-Fi 时，我们视为到店并告知店员；本系统不接收手机地址。",
        "wifi_off": "本系统不监听手机的 Wi-Fi 信号。",
        "rfid": "试衣间与托盘的读写器读取 RFID 标签，了解哪些商品被试穿；您随身物品上的标签也可能被读到，但不与您关联。",
        "rights": "您可随时查询、更正、删除您的数据，并撤回同意。请联系店员，或：",
        "company": "数据处理者：",
        "contact": "联系方式：",
    },
    "en": {
        "title": "Sensors in this store",
        "cameras": (
            "Cameras count people who enter, leave and stay. Pictures are processed in memory at once; "
            "this system records no video and keeps no image."
        ),
        "frigate": (
            "Some cameras also serve the store's video recorder (Frigate), which keeps recordings by rules of its own: "
            "please ask the staff."
        ),
        "face_off": "This system recognises no faces.",
        "face_check_in": (
            "Faces are recognised only of adult members who agreed and enrolled beforehand, and only at the marked "
            "check-in spot. A face that matches no member is not kept and is overwritten within half a second."
        ),
        "face_entrance": (
            "To recognise adult members who agreed and enrolled beforehand, the camera at the entrance compares the "
            "faces of all who enter with these members' templates. A face that matches no member is not kept and is "
            "overwritten within half a second."
        ),
        "without_face": (
            "The benefits are the same without a face: show your member's code or card, or tell the staff."
        ),
        "cards": "When members who agreed to a customer profile bring their card, a reader tells the staff.",
        "wifi_on": (
            "We estimate how many phones are here: addresses are hashed on arrival under a key that lives in memory "
            "and changes every 10 minutes; only totals of {minutes} minutes are kept, those under 5 are withheld, and "
            "no phone can be followed from one period to another."
        ),
        "wifi_login": (
            "When members who agreed to it log in to the store's Wi-Fi with their membership, we take it as their arrival "
            "and tell the staff; this system is told no address of a phone."
        ),
        "wifi_off": "This system does not listen to the Wi-Fi signals of phones.",
        "rfid": "Readers in fitting rooms and trays read RFID tags, to learn which goods were tried on. A tag on something of yours may be read as well; it is not linked to you.",
        "rights": (
            "You can see, correct and delete your data, and take back your consent, at any time. Ask the staff, or:"
        ),
        "company": "Controller:",
        "contact": "Contact:",
    },
}

DPIA: dict[Language, dict[str, str]] = {
    "zh": {
        "title": "个人信息保护影响评估（待补充）",
        "made": "由运行配置于 {day} 生成。标有“待填”的内容只能由公司填写。本文件不是法律意见。",
        "what": "处理什么",
        "part": "设备",
        "use": "用途与数据",
        "kept": "保存",
        "none": "无",
        "row_cameras": "摄像头 {cameras} | 统计进出、停留人数；画面只在内存中停留一个处理步骤 | 图像 0；计数事件确认后在盒子上保存 {days} 天；中央数据库只存总数与不含个人的事件",
        "row_frigate": "Frigate 摄像头 {frigate} | 只读取其轨迹，不读取画面 | 其录像由 Frigate 自行保存：待填",
        "row_wifi": "Wi-Fi {wifi} | 每 {minutes} 分钟的手机数量估计与区间；地址散列，密钥在内存中每 10 分钟更换；少于 5 不公布 | 地址 0；只有总数离开传感器",
        "row_wifi_doors": "Wi-Fi 估计的校准 | 每个时段的总数（门口人数、各强度的信号数与据此得出的数量），每周据此重新校准；不含地址、散列或任何个体 | 盒子上的 {wifi_files}：总数 2 周，校准参数 1 年",
        "row_rfid": "RFID {rfid} | 商品标签：试穿了什么 | 盒子上同摄像头事件；中央数据库：单次试穿 {tryon_days} 天，此后只留总数",
        "row_cards": "会员卡读写器 {cards} | 同意保存资料的会员到店 | 到店卡片在盒子上 90 天，中央数据库 {arrival_days} 天；卡号不离开盒子",
        "row_codes": "会员码摄像头 {codes} | 会员出示的二维码 | 到店卡片在盒子上 90 天，中央数据库 {arrival_days} 天；图像 0",
        "row_wifi_login": "Wi-Fi 登录 | 同意此项的会员登录即到店；不接收手机地址 | 到店卡片在盒子上 90 天，中央数据库 {arrival_days} 天",
        "row_badges": "员工工牌 | 从人数中扣除员工 | 工牌号不离开盒子",
        "row_faces": "人脸识别 {watched} | 与已同意会员的模板比对（模型 {encoder}） | 未匹配 0；模板 AES-256-GCM 加密，末次到店后 12 个月，最长 36 个月",
        "row_consents": "授权与查看记录 | 谁同意了什么、谁查看了谁；只能追加 | 查看记录 3 年；授权记录与文件同存",
        "recognition": "人脸识别",
        "mode_off": "关闭：没有人脸被查找或比对。",
        "mode_check_in": "签到处模式：只有站在标明的签到处的人被比对（{watched}）。",
        "mode_entrance": "入口模式：{watched} 中每个进店者的人脸都被比对。",
        "profile": "法域配置",
        "encoder": "模型",
        "attestation": "声明",
        "override": "覆盖理由",
        "limit": "本店误报率上限（95 % 置信上界）",
        "measures": "已有措施（由程序保证并有测试）",
        "measures_list": (
            "每个用途单独授权，记录所示文本的版本与摘要；撤回即删除模板\n"
            "无人脸的同等方式：会员码、会员卡、告诉店员\n"
            "未匹配的人脸与特征半秒内覆盖，不写入磁盘、日志、消息\n"
            "匹配只是提示，由店员确认；不据此给予或拒绝任何权益\n"
            "不推断情绪、民族、健康、性别、年龄；仅限成年人\n"
            "删除命令到达各店盒子并返回签名回执；离线盒子列出"
        ),
        "risks": "剩余风险",
        "risks_list": (
            "误报：店员可能以他人姓名问候来客。本店误报率用 yingke recognition check 测量\n"
            "不检测活体：翻拍的照片可能被当作本人，因此匹配不授予任何权益\n"
            "盒子被盗：模板加密，密钥在同一台机器上；请启用磁盘加密"
        ),
        "open": "待填",
        "open_list": (
            "处理者与联系方式；保护负责人\n"
            "每个用途的合法性基础与必要性\n"
            "告知标识的位置与确认日期（yingke sign）\n"
            "与员工及其代表的沟通\n"
            "中央数据库与备份的位置、访问者与保存期限\n"
            "结论、签字、日期与复查日期"
        ),
    },
    "en": {
        "title": "Data protection impact assessment (to be completed)",
        "made": (
            "Made from the running configuration on {day}. What stands under “To be filled in” only the company can "
            "know. This is not legal advice."
        ),
        "what": "What is processed",
        "part": "Device",
        "use": "Purpose and data",
        "kept": "Kept",
        "none": "none",
        "row_cameras": "Cameras {cameras} | count who enters, leaves and stays; a picture lives in memory for one step | images 0; events of counts stay on the box for {days} days after the centre has them; the central database holds totals and events that tell of nobody",
        "row_frigate": "Cameras of Frigate {frigate} | its tracks are read, not its pictures | Frigate's own recordings: to be filled in",
        "row_wifi": "Wi-Fi {wifi} | estimate of phones in {minutes} minutes, with an interval; addresses hashed, the key in memory and changed every 10 minutes; under 5 withheld | addresses 0; only totals leave the sensor",
        "row_wifi_doors": "Calibration of the Wi-Fi estimate | totals of each window (people by the doors, signals by strength, the numbers worked out from them), from which it is fitted again every week; no address, no hash, nobody | {wifi_files} on the box: totals 2 weeks, what was fitted 1 year",
        "row_rfid": "RFID {rfid} | tags of goods: what was tried on | on the box as for cameras; in the central database single try-ons {tryon_days} days, then totals",
        "row_cards": "Readers of members' cards {cards} | arrival of members who agreed to a profile | arrival cards 90 days on the box, {arrival_days} in the central database; no card number leaves the box",
        "row_codes": "Cameras for members' codes {codes} | the QR code that a member shows | arrival cards 90 days on the box, {arrival_days} in the central database; images 0",
        "row_wifi_login": "Wi-Fi login | arrival of members who agreed to it; no address of a phone is told | arrival cards 90 days on the box, {arrival_days} in the central database",
        "row_badges": "Staff badges | staff is taken out of the counts | no badge leaves the box",
        "row_faces": "Face recognition {watched} | compared with templates of members who agreed (encoder {encoder}) | unmatched 0; templates AES-256-GCM, 12 months after the last visit, 36 at most",
        "row_consents": "Consents and looks | who agreed to what, who looked at whom; append-only | looks 3 years; consents as long as the file",
        "recognition": "Face recognition",
        "mode_off": "Off: no face is looked for or compared.",
        "mode_check_in": "Check-in: only who stands in the marked spot is compared ({watched}).",
        "mode_entrance": "Entrance: the faces of all who enter are compared ({watched}).",
        "profile": "Profile",
        "encoder": "encoder",
        "attestation": "Attestation",
        "override": "Override",
        "limit": "Limit of this site's false alerts (upper 95 % bound)",
        "measures": "Measures in place (kept by the program, each with a test)",
        "measures_list": (
            "consent for each purpose by itself, with version and digest of the text shown; withdrawal deletes the "
            "template\n"
            "an equal way without a face: code, card, telling the staff\n"
            "a face that matches nobody is overwritten within half a second and reaches no disk, log or message\n"
            "a match is a suggestion that a clerk confirms; nothing is granted or refused by it\n"
            "no inference of emotion, ethnicity, health, gender or age; adults only\n"
            "an erasure reaches every store's box, which signs a receipt; boxes that are away are listed"
        ),
        "risks": "Risks that remain",
        "risks_list": (
            "false alerts: a clerk may greet somebody by another's name; yingke recognition check measures how often\n"
            "no liveness test: a photo of a member may be taken for them, so that a match grants nothing\n"
            "a stolen box: templates are encrypted, with their keys on the same machine; encrypt its disk"
        ),
        "open": "To be filled in",
        "open_list": (
            "controller and contact; data protection officer\n"
            "legal basis and necessity of each purpose\n"
            "where the signs stand, and since when (yingke sign)\n"
            "what staff and their representatives were told\n"
            "where the central database and its backups are, who reads them, and for how long they are kept\n"
            "conclusion, signature, date, and the date of the next review"
        ),
    },
}

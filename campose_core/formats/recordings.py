"""Recordings: images with stamps, which become frames."""

from campose_core.formats.catalogue import Format

SOURCE = "`campose build SOURCE`, `localize`, `replay`"
FORMATS = (
    Format("video", "phones, cameras", SOURCE, ("stamps",), "what FFmpeg decodes; turned upright as displayed"),
    Format(
        "folder of images",
        "photo libraries, TUM RGB-D, EuRoC, 7-Scenes",
        SOURCE,
        ("stamps", "intrinsics"),
        "stamps where all names are seconds or nanoseconds since 1970 (no years and months, no uptime), or seconds "
        "with six decimals, and increase, else 0.1 s an image; a first focal length from EXIF; depth images are left "
        "out",
    ),
    Format(
        "bag: `.bag`, `.mcap`, `.db3`, a folder of these, `.zstd` too",
        "ROS 1, ROS 2, `mcap convert`",
        SOURCE,
        ("stamps", "intrinsics", "poses", "metres"),
        "image, camera_info, odometry, TF, GPS, IMU; with and without metadata.yaml, and where the recorder was "
        "killed; the files of a folder are parts of one recording, in the order of their times",
    ),
    Format(
        "MCAP in protobuf or JSON",
        "Foxglove SDK",
        SOURCE,
        ("stamps", "intrinsics"),
        "`foxglove.CompressedImage`, CompressedVideo, RawImage, CameraCalibration; other schemas are refused by name",
    ),
    Format(
        "pose topic of a bag",
        "ROS 1, ROS 2, motion capture",
        "`--poses BAG`, `--tracker BAG`",
        ("stamps", "poses", "metres"),
        "Odometry, PoseStamped, PoseWithCovarianceStamped, TransformStamped; NaN and quaternions of zeros are no poses",
    ),
    Format(
        "/tf or a pose topic, in the bag of the images",
        "AMCL, slam_toolbox, motion capture, Gazebo",
        "`--reference BAG`, `evaluate EST.tum BAG`",
        ("stamps", "poses", "metres"),
        "of the camera, by `/tf_static`; `BAG:TOPIC` or `BAG:FRAME` where several say it; odometry's frames, goals "
        "and what campose itself published are no reference",
    ),
)
